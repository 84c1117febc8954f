package policy

import "testing"

func TestRegistriesAreComparedPartByPart(t *testing.T) {
	tests := []struct {
		image, allowed string
		want           bool
	}{
		{"registry.example.com/finance", "registry.example.com", true},
		{"registry.example.com/finance:v2@sha256:aa", "registry.example.com/", true},
		{"registry.example.com.evil.io/finance", "registry.example.com", false},
		{"registry.example.com.evil.io/finance", "registry.example.com/", false},
		{"registry.example.com:5000/finance", "registry.example.com", false},
		{"registry.example.com:5000/finance", "registry.example.com:5000", true},
		{"registry.example.com:50001/finance", "registry.example.com:5000", false},
		{"registry.example.com:5000/finance", "registry.example.com:", true},
		{"REGISTRY.example.com/finance", "registry.example.com", true},
		{"registry.example.com/vextrus-evil/finance", "registry.example.com/vextrus", false},
		{"registry.example.com/vextrus/finance", "registry.example.com/vextrus", true},
		{"registry.example.com/vextrus", "registry.example.com/vextrus/finance", false},
		{"registry.example.com/finance-evil", "registry.example.com/finance", false},
		{"registry.example.com/finance:v2", "registry.example.com/finance", true},
		{"vextrus/finance", "docker.io/vextrus", true},
		{"vextrus/finance", "docker.io", true},
		{"registry-1.docker.io/vextrus/finance", "docker.io/vextrus", true},
		{"evil.io/docker.io/vextrus/finance", "docker.io/vextrus", false},
		{"nginx", "docker.io/vextrus", false},
		{"[::1]:5000/finance", "[::1]:", true},
		{"anything/at-all", "", false},
		{"anything/at-all", "/", false},
	}
	for _, tt := range tests {
		parts, ok := partsOf(tt.image)
		if !ok {
			t.Errorf("%s is not read", tt.image)
			continue
		}
		if got := within(parts, tt.allowed); got != tt.want {
			t.Errorf("%s within %q: %v", tt.image, tt.allowed, got)
		}
	}
}

func TestWhatIsNoNameOfAnImage(t *testing.T) {
	for _, image := range []string{
		"registry.example.com@evil.io/finance", "registry.example.com/finance@", "https://registry.example.com/finance",
		"registry.example.com//finance", "registry.example.com/../finance", "registry.example.com/", "/finance",
		"registry.example.com/Finance", "registry.example.com/fin ance", "registry.example.com/finance:v 2",
		"registry.example.com:port/finance", "user:pw@registry.example.com/finance", ".", "",
	} {
		if parts, ok := partsOf(image); ok {
			t.Errorf("%q is read as %q", image, parts)
		}
	}
}
