package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/names"
	"github.com/vextrus/finance-rollout/internal/redact"
)

// Event is a CloudEvent 1.0 in structured mode.
type Event struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            time.Time `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Data            Data      `json:"data"`
}

// Name is the event's name: its type without what all types begin with.
func (e Event) Name() string { return strings.TrimPrefix(e.Type, names.EventType) }

// Data is the content of an event. Fields that do not belong to it are left out.
type Data struct {
	Stack     string `json:"stack"`
	Namespace string `json:"namespace"`
	App       string `json:"app"`
	Release   string `json:"release,omitempty"`
	// Image is the digest that the event is about.
	Image string `json:"image,omitempty"`
	// Identity is the short form of the release: its image, its configuration, its secrets and its pod; empty where the
	// entry has none.
	Identity string `json:"identity,omitempty"`
	// From and To are weights in percent; nil where no weight changes.
	From *int `json:"from,omitempty"`
	To   *int `json:"to,omitempty"`
	// Verdict is pass, fail, inconclusive or error; for a rollback complete or incomplete.
	Verdict string          `json:"verdict,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Numbers []ledger.Number `json:"numbers,omitempty"`
	// Who is the author by the author's own word, Account the API server's name for the author.
	Who     string `json:"who,omitempty"`
	Account string `json:"account,omitempty"`
	// Ledger is the entry that the event comes from; nil for an event of the guard or of a refused update.
	Ledger       *Reference   `json:"ledger,omitempty"`
	Rollback     *Rollback    `json:"rollback,omitempty"`
	Attestation  *Attestation `json:"attestation,omitempty"`
	DashboardURL string       `json:"dashboardURL,omitempty"`
	RunbookURL   string       `json:"runbookURL,omitempty"`
}

// Reference names an entry of the ledger.
type Reference struct {
	Seq int    `json:"seq"`
	Sum string `json:"sum"`
}

// Rollback is what follows from a rollback.
type Rollback struct {
	// Failed is what the canary was rolled back for, Incomplete the steps that failed; empty for none.
	Failed     string    `json:"failed"`
	Incomplete string    `json:"incomplete,omitempty"`
	Evidence   *Evidence `json:"evidence,omitempty"`
	Retry      Retry     `json:"retry"`
}

// Evidence is where the logs, the events and the numbers of a rollback are kept.
type Evidence struct {
	ConfigMap string `json:"configMap"`
	Namespace string `json:"namespace"`
	// Command shows it.
	Command string `json:"command"`
}

// Retry is the advice for another try.
type Retry struct {
	// Earliest is a week after the rollback: the guide gives every stage a week. It is advice; no gate waits for it.
	Earliest time.Time `json:"earliest"`
	// Change is what has to change before.
	Change string `json:"change"`
}

// RetryOf is the advice after a rollback that ended at a time. The stack's name appears in a command.
func RetryOf(ended time.Time, stack string) Retry {
	return Retry{
		Earliest: ended.UTC().Add(retryAfter),
		Change: fmt.Sprintf("an image with the fault mended, which staging has verified; it enters the first stage, and "+
			"every stage is soaked anew. If this image is not to blame: rollout unlatch -s %s --reason REASON", stack),
	}
}

// Attestation is a fact that somebody vouched for.
type Attestation struct {
	Name  string     `json:"name"`
	Link  string     `json:"link,omitempty"`
	Until *time.Time `json:"until,omitempty"`
}

// About is the rollout that events are about.
type About struct {
	Stack, Namespace, App string
	// Rollout is the rollout's name for commands; empty where the stack has one.
	Rollout                  string
	DashboardURL, RunbookURL string
	// Redactor cleans every text from outside.
	Redactor redact.Redactor
}

// event is the envelope with the fields that all events have. The parts make the id.
func (a About) event(name string, at time.Time, release string, parts ...string) Event {
	subject := a.App
	if release != "" {
		subject += "/" + release
	}
	return Event{
		SpecVersion: "1.0", ID: id(append([]string{a.Namespace, a.App}, parts...)),
		Source: "/finance-rollout/" + a.Namespace + "/" + a.App, Type: names.EventType + name, Subject: subject,
		Time: at.UTC(), DataContentType: "application/json",
		Data: Data{
			Stack: a.Stack, Namespace: a.Namespace, App: a.App, Release: release,
			DashboardURL: a.DashboardURL, RunbookURL: a.RunbookURL,
		},
	}
}

// id is the same for the same parts: receivers drop an event whose id they have seen.
func id(parts []string) string {
	hash := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(hash[:16])
}

// State is an event that no entry of the ledger holds: a state of the guard, or a refused update.
type State struct {
	Name string
	At   time.Time
	// Key distinguishes the state from others of its name. It makes the id.
	Key            string
	Release, Image string
	From, To       *int
	Verdict        string
	Reason         string
	Numbers        []ledger.Number
	Who            string
}

// Of is the event of a state.
func (a About) Of(s State) Event {
	event := a.event(s.Name, s.At, s.Release, s.Name, s.Key)
	event.Data.Image, event.Data.From, event.Data.To = s.Image, s.From, s.To
	event.Data.Verdict, event.Data.Reason, event.Data.Numbers = s.Verdict, a.Redactor.Text(s.Reason), s.Numbers
	event.Data.Who = a.Redactor.Text(s.Who)
	return event
}
