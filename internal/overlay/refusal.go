package overlay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Refusal is one thing that a patch would take from the pods, although the rollout or the cluster needs it.
type Refusal struct {
	// Path is the way to the field in the template. An element of a list is named by its name.
	Path []string
	// Given is what the patch makes of the field; empty when it is removed.
	Given string
	// Problem says what is wrong with it and what to do instead.
	Problem string
}

// Error gives the refusal in one line.
func (r Refusal) Error() string {
	given := ""
	if r.Given != "" {
		given = fmt.Sprintf(" is %q", r.Given)
	}
	return "pod " + strings.Join(r.Path, ".") + given + ": " + r.Problem
}

// Refusals compares a template before and after a patch. service is the name of the service's own container.
func Refusals(before, after Template, service string) []Refusal {
	c := comparison{before: before, after: after, service: service}
	c.metadata("labels", "the Service, the Deployment and the guard find the pods by it")
	c.metadata("annotations", "the rollout reads it from the pods")
	if policy := text(object(after, "spec"), "restartPolicy"); policy != "" && policy != "Always" {
		c.refuse(policy, "the pods of a Deployment restart always; leave it out", "spec", "restartPolicy")
	}
	c.ownContainer()
	for _, key := range []string{keyInitContainers, keyContainers} {
		for _, item := range list(object(after, "spec"), key) {
			c.container(key, object(item))
		}
	}
	if len(c.refusals) == 0 {
		c.standard()
	}
	return c.refusals
}

type comparison struct {
	before, after Template
	service       string
	refusals      []Refusal
}

func (c *comparison) refuse(given, problem string, path ...string) {
	c.refusals = append(c.refusals, Refusal{Path: path, Given: given, Problem: problem})
}

// metadata keeps the labels or annotations that were there as they were.
func (c *comparison) metadata(kind, why string) {
	was, is := object(c.before, "metadata", kind), object(c.after, "metadata", kind)
	for _, key := range slices.Sorted(maps.Keys(was)) {
		if is[key] == was[key] {
			continue
		}
		given := ""
		if is[key] != nil {
			given = fmt.Sprint(is[key])
		}
		c.refuse(given, fmt.Sprintf("%s, so that it stays %q", why, was[key]), "metadata", kind, key)
	}
}

// ownContainer keeps what the rollout needs of the service's own container.
func (c *comparison) ownContainer() {
	was := named(object(c.before, "spec"), keyContainers, c.service)
	is := named(object(c.after, "spec"), keyContainers, c.service)
	if is == nil {
		left := strings.Join(namesIn(object(c.after, "spec"), keyContainers), ", ")
		c.refuse(left, fmt.Sprintf("the container %s is the service itself: it can neither be removed nor renamed",
			c.service), "spec", keyContainers)
		return
	}
	at := []string{"spec", keyContainers, c.service}
	if given := text(is, "image"); given != text(was, "image") {
		c.refuse(given, "the release decides about the service's image; set the keys image and stableImage",
			append(at, "image")...)
	}
	if probe := object(is, "readinessProbe"); len(handlersOf(probe, probeHandlers)) == 0 {
		c.refuse("", "a pod without a readiness probe gets requests before it can answer; change the probe, and keep one",
			append(at, "readinessProbe")...)
	}
	c.port(was, is, at)
}

// port keeps the one port that the Service, the probes and the guard use by its name and number.
func (c *comparison) port(was, is map[string]any, at []string) {
	for _, item := range list(was, "ports") {
		name, number := text(item, "name"), object(item)["containerPort"]
		same, others := false, []string{}
		for _, port := range list(is, "ports") {
			switch has, by := object(port)["containerPort"] == number, text(port, "name") == name; {
			case has && by && text(port, "protocol") == text(item, "protocol"):
				same = true
			case has || by:
				others = append(others, fmt.Sprintf("%s %v", text(port, "name"), object(port)["containerPort"]))
			}
		}
		if !same || len(others) > 0 {
			c.refuse(strings.Join(others, ", "), fmt.Sprintf("the Service, the probes and the guard use the port %s %v; "+
				"set the number by the key containerPort, and give further ports other names", name, number),
				append(at, "ports")...)
		}
		c.portElsewhere(name)
	}
}

// portElsewhere keeps the port's name from other containers: the Service would take the first port of that name.
func (c *comparison) portElsewhere(name string) {
	for _, key := range []string{keyInitContainers, keyContainers} {
		for _, item := range list(object(c.after, "spec"), key) {
			container := text(item, "name")
			if container != c.service && named(object(item), "ports", name) != nil {
				c.refuse(name, fmt.Sprintf("the port of that name is the service's; name the port of %s otherwise",
					container), "spec", key, container, "ports", name)
			}
		}
	}
}

// The ways in which a probe asks and in which a hook acts. Kubernetes takes one of them.
var (
	probeHandlers = []string{"exec", "grpc", "httpGet", "tcpSocket"}
	hookHandlers  = []string{"exec", "httpGet", "sleep", "tcpSocket"}
)

// container refuses a container that the API server would refuse, where a merge is the usual cause.
func (c *comparison) container(key string, container map[string]any) {
	name := text(container, "name")
	at := []string{"spec", key, name}
	if text(container, "image") == "" {
		c.refuse("", fmt.Sprintf("a new container needs an image; the container of the service is called %s", c.service),
			append(at, "image")...)
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		c.oneHandler(object(container, probe), probeHandlers, append(at, probe))
	}
	for _, hook := range []string{"postStart", "preStop"} {
		c.oneHandler(object(container, "lifecycle", hook), hookHandlers, append(at, "lifecycle", hook))
	}
	for _, item := range list(container, "volumeMounts") {
		if volume := text(item, "name"); named(object(c.after, "spec"), "volumes", volume) == nil {
			c.refuse(volume, fmt.Sprintf("no volume is called that; the volumes are %s",
				strings.Join(namesIn(object(c.after, "spec"), "volumes"), ", ")), append(at, "volumeMounts")...)
		}
	}
}

func (c *comparison) oneHandler(of map[string]any, handlers, at []string) {
	if set := handlersOf(of, handlers); len(set) > 1 {
		c.refuse(strings.Join(set, ", "), "one of them is allowed; write `$patch: replace` beside the one that stays", at...)
	}
}

// handlersOf lists the ways in which a probe or a hook acts.
func handlersOf(of map[string]any, handlers []string) []string {
	return slices.DeleteFunc(slices.Clone(handlers), func(handler string) bool { return of[handler] == nil })
}

// namesIn are the names of the elements of a list.
func namesIn(of map[string]any, key string) []string {
	var names []string
	for _, item := range list(of, key) {
		names = append(names, text(item, "name"))
	}
	return names
}
