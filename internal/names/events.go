package names

// Names of the events of a rollout that webhooks are told of. The type of a CloudEvent is the name behind EventType.
const (
	EventEntered       = "entered"
	EventShifted       = "shifted"
	EventSoakPassed    = "soak-passed"
	EventExtended      = "extended"
	EventRefused       = "refused"
	EventOverridden    = "overridden"
	EventLimitsChanged = "limits-changed"
	EventExpressed     = "expressed"
	EventNeedsReview   = "needs-review"
	EventQuarantined   = "quarantined"
	EventReadmitted    = "readmitted"
	EventRolledBack    = "rolled-back"
	EventLatchReleased = "latch-released"
	EventFinished      = "finished"
	EventAttested      = "attested"
	EventApproved      = "approved"
	EventGuardBlind    = "guard-blind"
	EventGuardSees     = "guard-sees"
)

// EventType begins the type of a CloudEvent.
const EventType = "com.vextrus.finance-rollout."

// Events are the names of all events.
func Events() []string {
	return []string{
		EventEntered, EventShifted, EventSoakPassed, EventExtended, EventRefused, EventOverridden, EventLimitsChanged,
		EventExpressed,
		EventNeedsReview, EventQuarantined, EventReadmitted, EventRolledBack, EventLatchReleased, EventFinished,
		EventAttested, EventApproved, EventGuardBlind, EventGuardSees,
	}
}
