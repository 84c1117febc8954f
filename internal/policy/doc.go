// Package policy holds the guard rails: rules that every resource of a stack must keep, whichever program made it.
// Each rule is a pure function of resource properties, so that it can be tested by a resource that keeps it and one
// that does not. The pack in policies/ hands them to Pulumi.
//
// A value that is not known yet, as many are in a preview, is neither right nor wrong: a rule that meets one says
// nothing, and is asked again by `pulumi up`, when it is known. Messages say what to change; they never hold a value
// that could be secret.
//
// The package may import Pulumi's property values, internal/names, internal/plan and internal/redact, and of Kubernetes
// the library that judges pods by the Pod Security Standards; no policy SDK and no component: it judges what is
// registered, not how.
package policy
