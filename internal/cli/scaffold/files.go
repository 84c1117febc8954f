package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vextrus/finance-rollout/internal/settings"
)

// File is one file to write.
type File struct {
	Name    string
	Content []byte
}

// entry is a key of a stack's file with what is said about it.
type entry struct {
	comment, key string
	value        any
}

// StackName is the name of a stack of the service.
func (s Service) StackName(environment string) string { return s.App + "-" + environment }

func (s Service) suiteFile() string { return "smoke-" + s.App + ".yaml" }

// PolicyFile is the name of the file with the settings of the policies.
func (s Service) PolicyFile() string { return "policies-" + s.App + ".json" }

// Files are the stack files of staging and production, the smoke suite and the settings of the policies. Keys of the
// stack files begin with the project's name.
func (s Service) Files(project string) ([]File, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	var files []File
	for _, stack := range []struct {
		environment, about string
		entries            []entry
	}{
		{"staging", "the release on one track", s.staging()}, {"production", "nine stable pods and one canary pod in week 1",
			s.production()},
	} {
		content, err := stackFile(project, stack.entries, fmt.Sprintf("%s in %s: %s. docs/configuration.md lists every key.",
			s.App, stack.environment, stack.about))
		if err != nil {
			return nil, err
		}
		files = append(files, File{"Pulumi." + s.StackName(stack.environment) + ".yaml", content})
	}
	policies, err := json.MarshalIndent(map[string]any{
		"image-registry": map[string]any{"registries": []string{registry(s.Image)}}, "cors-origin-set": "disabled",
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the policies: %w", err)
	}
	return append(files, File{s.suiteFile(), s.suite()}, File{s.PolicyFile(), append(policies, '\n')}), nil
}

// registry is the part of an image's name that a policy allows: the registry and the repository's folder.
func registry(image string) string {
	if image == "" {
		return "docker.io/library/"
	}
	name, _, _ := strings.Cut(image, "@")
	first, rest, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		return "docker.io/library/"
	case strings.ContainsAny(first, ".:") || first == "localhost":
		return first + "/" + rest[:strings.LastIndex(rest, "/")+1]
	default:
		return "docker.io/" + name[:strings.LastIndex(name, "/")+1]
	}
}

func (s Service) staging() []entry {
	list := []entry{
		{"", "environment", "staging"}, {"", "strategy", settings.StrategySingle}, {"", "release", "staging"},
		{"", "namespace", s.Namespace + "-staging"}, {"", "serviceName", s.App}, {"", "replicas", 2},
		{"The release that is verified here before production takes it.", "image", s.Image},
	}
	list = append(list, s.common()...)
	return append(list, entry{"Requests come when somebody tests: the smoke suite decides alone.", "bake",
		map[string]any{"duration": "0s"}})
}

func (s Service) production() []entry {
	list := []entry{
		{"", "environment", "production"}, {"", "week", 1}, {"", "namespace", s.Namespace},
		{"A multiple of 10, so that 10, 30, 60 and 100 % are whole pods.", "replicas", s.pods()},
		{"Empty for the image that staging has verified.", "image", ""},
		{"The image that runs before the first release.", "stableImage", s.Image},
		{"", "staging", map[string]any{"stack": s.StackName("staging")}},
	}
	list = append(list, s.common()...)
	return append(list,
		entry{"The watcher in the cluster; `make release` builds its image.", "guard", map[string]any{"image": ""}},
		entry{"Grafana, and the runbook for the alerts.", "dashboardURL", ""}, entry{"", "runbookURL", ""})
}

// common are the entries of both stacks: all that would be the finance service's otherwise.
func (s Service) common() []entry {
	metrics := map[string]any{
		"path": s.MetricsPath, "requestsTotal": s.Requests, "statusLabel": s.Status, "exclude": s.Exclude,
	}
	criteria := map[string]any{"latency": "500ms"}
	if s.Durations == "" {
		criteria["latency"] = "off"
	} else {
		metrics["durationBucket"], metrics["durationUnit"] = s.Durations, s.Unit
	}
	if s.MetricsPort > 0 && s.MetricsPort != s.Port {
		metrics["port"] = s.MetricsPort
	}
	list := []entry{
		{"", "app", s.App}, {"", "containerPort", s.Port},
		{"", "user", map[string]any{"runAsUser": s.User, "runAsGroup": s.User, "fsGroup": s.User}},
		{"", "env", orEmpty(s.Env)}, {"", "configEnv", map[string]string{}},
		{"Variables from secrets of this stack, as NAME/KEY; set them with `pulumi config set --secret --path secrets.NAME.KEY`.",
			"secretEnv", map[string]string{}},
		{"Variables from Secrets that somebody else makes.", "existingSecretEnv", orEmpty(s.Secrets)},
	}
	if len(s.EnvFrom) > 0 {
		list = append(list, entry{"", "envFrom", s.envFrom()})
	}
	return append(list,
		entry{"Ports that the pods may reach. A preview warns of one that the environment names and this list lacks.",
			"network", map[string]any{"egressPorts": s.ports()}},
		entry{"", "resources", s.Resources},
		entry{"", "probes", map[string]any{"liveness": map[string]any{"path": s.LivePath},
			"readiness": map[string]any{"path": s.ReadyPath}, "startup": map[string]any{"path": s.LivePath}}},
		entry{"`rollout metrics` proposes these from a page of metrics.", "metrics", metrics},
		entry{"", "criteria", criteria},
		entry{"", "monitoring", map[string]any{"dashboardPrefix": s.App}},
		entry{"", "prometheus", s.Prometheus},
		entry{"", "smoke", map[string]any{"suite": s.suiteFile(), "originFrom": "", "tokenFrom": ""}},
	)
}

func (s Service) envFrom() []map[string]string {
	var list []map[string]string
	for _, source := range s.EnvFrom {
		one := map[string]string{}
		for key, value := range map[string]string{"secretRef": source.SecretRef, "configMapRef": source.ConfigMapRef,
			"prefix": source.Prefix} {
			if value != "" {
				one[key] = value
			}
		}
		list = append(list, one)
	}
	return list
}

func orEmpty(values map[string]string) map[string]string {
	if values == nil {
		return map[string]string{}
	}
	return values
}

// stackFile writes the entries in their order.
func stackFile(project string, entries []entry, about string) ([]byte, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "# %s\nconfig:\n", about)
	for _, one := range entries {
		var encoded bytes.Buffer
		encoder := yaml.NewEncoder(&encoded)
		encoder.SetIndent(2)
		if err := encoder.Encode(map[string]any{project + ":" + one.key: one.value}); err != nil {
			return nil, fmt.Errorf("encode %s: %w", one.key, err)
		}
		if one.comment != "" {
			fmt.Fprintf(&text, "  # %s\n", one.comment)
		}
		for line := range strings.Lines(encoded.String()) {
			text.WriteString("  " + line)
		}
	}
	return text.Bytes(), nil
}

// suite is a smoke suite of what is known: the probes' paths, and how fast the service answers.
func (s Service) suite() []byte {
	return fmt.Appendf(nil, `# What a pod of %[1]s must show before it gets traffic. Add what your customers need: a request that must succeed, one that must
# be refused, a query that reads the database. docs/your-service.md has examples.
name: %[1]s
description: the probes of %[1]s
maxRequests: 60
checks:
  - name: liveness
    description: the process answers
    request: {path: %[2]q}
    expect: {status: ["200-299"]}
  - name: readiness
    description: the pod takes traffic
    request: {path: %[3]q}
    expect: {status: ["200-299"]}
  - name: latency
    description: 19 of 20 requests answer within 500 ms
    kind: latency
    latency: {requests: 20, percentile: 95, max: 500ms}
    request: {path: %[3]q}
    expect: {status: ["200-299"]}
`, s.App, s.LivePath, s.ReadyPath)
}

// Write writes the files into a folder. If one of them exists, it writes none: the error names all that do.
func Write(dir string, files []File) error {
	var existing []string
	for _, file := range files {
		if _, err := os.Lstat(filepath.Join(dir, file.Name)); err == nil {
			existing = append(existing, file.Name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for %s: %w", file.Name, err)
		}
	}
	if len(existing) > 0 {
		return fmt.Errorf("%s exist in %s, and nothing is overwritten: move them away, or give the service another "+
			"name by --app",
			strings.Join(existing, ", "), dir)
	}
	for _, file := range files {
		// O_EXCL: what appears in between is not overwritten either.
		out, err := os.OpenFile(filepath.Join(dir, file.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("write %s: %w", file.Name, err)
		}
		_, err = out.Write(file.Content)
		if err := errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("write %s: %w", file.Name, err)
		}
	}
	return nil
}
