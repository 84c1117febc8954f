package ledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/vextrus/finance-rollout/internal/ledger"
	"github.com/vextrus/finance-rollout/internal/testkit/store"
)

// Append decides on the ledger as it is at the write, so that a latch which appears in the meantime is respected.
func ExampleAppend() {
	ctx, kept := context.Background(), &store.Memory{}
	now := func() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }
	enter := func(current *ledger.Ledger) ([]ledger.Entry, error) {
		if latch, latched := current.State().Latch("sha256:0002"); latched {
			return nil, fmt.Errorf("entry %d latches the image: %s", latch.Seq, latch.Reason)
		}
		return []ledger.Entry{{Kind: ledger.ShiftBegun, Who: "anna", Release: "v2", Image: "sha256:0002", To: 10}}, nil
	}
	rollback := ledger.Entry{
		Kind: ledger.RollbackBegun, Who: "guard", Release: "v2", Image: "sha256:0002", From: 10,
		Reason: "33 % of 90 requests failed",
	}
	for range 2 {
		history, err := ledger.Append(ctx, kept, now, enter)
		if err != nil {
			fmt.Println("refused:", err)
			return
		}
		fmt.Print(history)
		if _, err := ledger.Write(ctx, kept, now, rollback); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// ENTRY  TIME                  WHO   WHAT
	// 1      2026-03-02T09:00:00Z  anna  shift-begun v2 0 % -> 10 %
	// refused: entry 2 latches the image: 33 % of 90 requests failed
}
