package podstate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A sidecar that starts first asks for its share all along, and beside what starts after it.
func TestSidecarsAskForTheirShare(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	asks := func(name, cpu string) corev1.Container {
		return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}}
	}
	sidecar := asks("tunnel", "200m")
	sidecar.RestartPolicy = &always
	for name, tt := range map[string]struct {
		init []corev1.Container
		want int64
	}{
		"the containers alone":            {nil, 500},
		"a sidecar beside them":           {[]corev1.Container{sidecar}, 700},
		"a small step at the start":       {[]corev1.Container{asks("migrate", "100m"), sidecar}, 700},
		"a large step beside a sidecar":   {[]corev1.Container{sidecar, asks("migrate", "1")}, 1200},
		"a large step before the sidecar": {[]corev1.Container{asks("migrate", "1"), sidecar}, 1000},
	} {
		cpu, memory := Requests(&corev1.PodSpec{InitContainers: tt.init,
			Containers: []corev1.Container{asks("shop", "400m"), asks("proxy", "100m")}})
		if cpu.MilliValue() != tt.want || !memory.IsZero() {
			t.Errorf("%s: %s CPU, %s memory; want %dm", name, &cpu, &memory, tt.want)
		}
	}
}
