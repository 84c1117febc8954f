package measure

import "testing"

func TestMachineFacts(t *testing.T) {
	if memory, err := totalMemory("MemFree: 1 kB\nMemTotal:       25165000 kB\n"); err != nil || memory != 24 {
		t.Errorf("memory %d, %v; want 24", memory, err)
	}
	if load, err := loadAverage("0.25 0.40 0.50 1/300 4711\n"); err != nil || load != 0.25 {
		t.Errorf("load %v, %v; want 0.25", load, err)
	}
	for name, err := range map[string]error{
		"memory": second(totalMemory("MemFree: 1 kB\n")),
		"number": second(totalMemory("MemTotal: many kB\n")),
		"load":   second(loadAverage("")),
	} {
		if err == nil {
			t.Errorf("%s: nonsense was read", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
