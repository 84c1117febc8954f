// Package adopt carries a takeover out: it reads the objects that run a service, has internal/takeover plan, and takes
// the plan's steps one after the other. Each step may be taken again, so that a takeover that was interrupted goes on.
package adopt
