package names

import "testing"

func TestTheRepositoryOfAReference(t *testing.T) {
	for reference, want := range map[string]string{
		"vextrus/finance:v2@sha256:aa": "vextrus/finance", "vextrus/finance@sha256:aa": "vextrus/finance",
		"localhost:5000/finance@sha256:aa": "localhost:5000/finance", "localhost:5000/finance:v2": "localhost:5000/finance",
		"localhost:5000/finance": "localhost:5000/finance",
	} {
		if got := Repository(reference); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}
