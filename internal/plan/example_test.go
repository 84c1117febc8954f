package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vextrus/finance-rollout/internal/plan"
)

// Ten pods carry 10 % of the requests exactly. They cannot carry 33 %, and the error names the weights that they can.
func ExampleSplit() {
	position, err := plan.Split(1, 10, 10, 0)
	fmt.Println(position.Stable, "stable,", position.Canary, "canary,", err)

	_, err = plan.Split(1, 33, 10, 0)
	fmt.Println(strings.Replace(err.Error(), ": ", ":\n", 1))
	// Output:
	// 9 stable, 1 canary, <nil>
	// 10 pods cannot give the canary 33 % of the requests:
	// the nearest possible weights are 30 % (3 of 10) and 40 % (4 of 10)
}

// A release climbs one stage at a time and can always go down.
func ExampleStages_Move() {
	at := plan.Standing{Weight: 10, Canary: "sha256:0002", Stable: "sha256:0001"}
	for _, weight := range []int{30, 60, 5, 0} {
		move, err := plan.DefaultStages().Move(at, plan.Target{Weight: weight, Canary: "sha256:0002", Stable: "sha256:0001"})
		if illegal, ok := errors.AsType[*plan.IllegalError](err); ok {
			fmt.Printf("%s is not legal; legal moves are:\n%s\n", illegal.Requested, strings.Join(illegal.Legal, "\n"))
			continue
		}
		fmt.Printf("%s; needs evidence: %v\n", move, move.Raises())
	}
	// Output:
	// advance from 10 % to 30 %; needs evidence: true
	// 10 % -> 60 % is not legal; legal moves are:
	// the same image at up to 30 %
	// any lower weight
	// a new image or configuration at 1 to 10 %
	// retreat from 10 % to 5 %; needs evidence: false
	// retreat from 10 % to 0 %; needs evidence: false
}

// The checkpoints of a soak of 48 hours become rarer.
func ExampleSoak_Checkpoint() {
	soak := plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}
	for _, elapsed := range []time.Duration{0, 2 * time.Hour, 30 * time.Hour} {
		fmt.Println("after", elapsed, "the next checkpoint is at", soak.Checkpoint(elapsed))
	}
	// Output:
	// after 0s the next checkpoint is at 15m0s
	// after 2h0m0s the next checkpoint is at 2h30m0s
	// after 30h0m0s the next checkpoint is at 32h0m0s
}
