package components

import (
	"testing"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// The Docker provider reads the path from the program's folder; the configuration gives it from the context.
func TestTheDockerfileIsFoundFromTheProgramsFolder(t *testing.T) {
	for _, tt := range []struct{ context, dockerfile, want string }{
		{"service", "Dockerfile", "service/Dockerfile"},
		{"./service/", "deploy/Dockerfile", "service/deploy/Dockerfile"},
		{"../finance", "Dockerfile", "../finance/Dockerfile"},
		{".", "Dockerfile", "Dockerfile"},
		{"/src/finance", "Dockerfile", "/src/finance/Dockerfile"},
		{"service", "/etc/build/Dockerfile", "/etc/build/Dockerfile"},
		{"https://git.example.com/finance.git", "Dockerfile", "Dockerfile"},
		{"service", "", ""},
	} {
		if got := dockerfile(settings.Build{Context: tt.context, Dockerfile: tt.dockerfile}); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.dockerfile, tt.context, got, tt.want)
		}
	}
}
