// Package admission makes ValidatingAdmissionPolicies for the namespace of a rollout. Roles name verbs and kinds; the
// policies say what of an object may change and who may change it: the ledger, the traffic label, the split. The API
// server evaluates them, so that no credential of the namespace gets around them. It is pure.
package admission
