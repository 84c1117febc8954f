package network

import (
	"context"
	"os/exec"
	"slices"
	"strings"
)

// chainPrefix starts the name of every chain that kube-proxy and the kubelet make.
const chainPrefix = "KUBE-"

// KubernetesChains returns the names of the chains that some Kubernetes has made on this machine, sorted.
func KubernetesChains(ctx context.Context) ([]string, error) {
	var names []string
	for _, family := range families() {
		saved, err := run(ctx, nil, family+"-save")
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(string(saved), "\n") {
			if name, isOurs := ownChain(line); isOurs {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// RemoveRules removes the chains of Kubernetes, the rules that lead to them and the rules marked with Comment. Every
// other rule stays as it is.
func RemoveRules(ctx context.Context) error {
	for _, family := range families() {
		saved, err := run(ctx, nil, family+"-save")
		if err != nil {
			return err
		}
		script := removal(string(saved))
		if script == "" {
			continue
		}
		if _, err := run(ctx, []byte(script), family+"-restore", "--noflush", "-w", "10"); err != nil {
			return err
		}
	}
	return nil
}

// families returns the iptables commands that the machine has; an IPv6 one may be missing.
func families() []string {
	commands := []string{"iptables"}
	if _, err := exec.LookPath("ip6tables-save"); err == nil {
		commands = append(commands, "ip6tables")
	}
	return commands
}

// removal turns the output of iptables-save into input for iptables-restore --noflush that removes what is ours, and
// nothing when nothing is. A declared chain is emptied first, so that chains which refer to each other can go.
func removal(saved string) string {
	var script strings.Builder
	var table string
	var declare, rules, drop []string
	for _, line := range strings.Split(saved, "\n") {
		switch {
		case strings.HasPrefix(line, "*"):
			table, declare, rules, drop = line, nil, nil, nil
		case strings.HasPrefix(line, ":"):
			if name, isOurs := ownChain(line); isOurs {
				declare = append(declare, ":"+name+" - [0:0]")
				drop = append(drop, "-X "+name)
			}
		case strings.HasPrefix(line, "-A "):
			if ownRule(line) {
				rules = append(rules, "-D "+strings.TrimPrefix(line, "-A "))
			}
		case line == "COMMIT" && len(declare)+len(rules) > 0:
			for _, part := range [][]string{{table}, declare, rules, drop, {"COMMIT"}} {
				for _, command := range part {
					script.WriteString(command + "\n")
				}
			}
		}
	}
	return script.String()
}

// ownChain returns the name of the chain that a line of iptables-save declares, if it is one of ours.
func ownChain(line string) (string, bool) {
	name, isOurs := strings.CutPrefix(line, ":"+chainPrefix)
	if !isOurs {
		return "", false
	}
	name, _, _ = strings.Cut(name, " ")
	return chainPrefix + name, true
}

// ownRule reports whether a rule in a foreign chain is ours to delete. Rules in our chains go with the chain.
func ownRule(line string) bool {
	fields := strings.Fields(line)
	if len(fields) < 2 || strings.HasPrefix(fields[1], chainPrefix) {
		return false
	}
	for i := 2; i+1 < len(fields); i++ {
		jumps := fields[i] == "-j" || fields[i] == "-g"
		if jumps && strings.HasPrefix(fields[i+1], chainPrefix) {
			return true
		}
		if fields[i] == "--comment" && strings.Trim(fields[i+1], `"`) == Comment {
			return true
		}
	}
	return false
}
