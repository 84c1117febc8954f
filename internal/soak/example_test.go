package soak_test

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/advance"
	"github.com/vextrus/finance-rollout/internal/gate"
	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/plan"
	"github.com/vextrus/finance-rollout/internal/soak"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// The guard and an update record the same look at the end of a soak: the checkpoint and the extension are recorded
// once.
func ExampleNote() {
	ctx, kept := context.Background(), &store.Memory{}
	began := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	_, err := ledger.Write(ctx, kept, func() time.Time { return began },
		ledger.Entry{Kind: ledger.ShiftBegun, Who: "anna", Release: "v2", Image: "sha256:0002", To: 10},
		ledger.Entry{Kind: ledger.ShiftReached, Who: "anna", Release: "v2", Image: "sha256:0002", To: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	look := advance.Soak{
		Plan: plan.Soak{Duration: 48 * time.Hour, Extension: 24 * time.Hour}, Since: began, Soaked: 48 * time.Hour,
		Evaluation: gate.Evaluation{Results: []gate.Result{gate.ErrorRate(0.005, 0.01).Judge(gate.Counts{N: 90}, nil)}},
	}
	end := func() time.Time { return began.Add(48 * time.Hour) }
	for _, who := range []string{"guard", "anna"} {
		noted, err := soak.Note(ctx, kept, end, who, look)
		fmt.Printf("%s: checkpoint %v, extension %v, error %v\n", who, noted.Checkpoint, noted.Extension, err)
	}
	// Output:
	// guard: checkpoint true, extension true, error <nil>
	// anna: checkpoint false, extension false, error <nil>
}
