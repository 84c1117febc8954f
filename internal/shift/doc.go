// Package shift is the one move of an update, without Pulumi: judge it, note it in the ledger, carry it out, see
// whether somebody else superseded it, move the route, verify the release. The hooks of internal/program call it with
// plain values.
//
// [Shift] judges and notes. [Route] moves the weights of a route and asks the shift whether it may. [Capacity] keeps
// pods until others have taken over, and [Gate] verifies the release; both ask the route and the shift. Nothing
// points back.
package shift
