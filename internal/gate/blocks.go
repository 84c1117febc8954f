package gate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/common/model"
)

// Rise is by how much a counter of a pod rose in a block of time.
type Rise struct {
	// Pod is the pod's name, or the scraped address if Prometheus does not know the pod.
	Pod string
	// Labels are those that the pod gives itself, such as the status or the path.
	Labels model.Metric
	By     int64
}

// Block is a block of time with the rises of both tracks' counters. What a scrape saw first belongs to the block of
// that scrape.
type Block struct {
	Start, End     time.Time
	Canary, Stable []Rise
}

// Sides select one metric on both tracks.
type Sides struct {
	Canary, Stable Metrics
	// CanarySeries and StableSeries are the selectors of the counters.
	CanarySeries, StableSeries string
}

// ReadBlocks reads counters of both tracks over the window and visits its blocks in order of time. The last block may
// be shorter. Counters are counted as for a criterion: resets belong to processes, twins count once, and the times of
// Window.Except do not count. The blocks of an hour are in memory at once. It returns notes on processes that are not
// counted.
func ReadBlocks(ctx context.Context, querier Querier, sides Sides, window Window, length time.Duration,
	visit func(Block) error) (notes []string, err error) {
	if window.block, err = blockLength(length); err != nil {
		return nil, err
	}
	canary, err := newBlockReader(ctx, querier, sides.Canary, sides.CanarySeries, window)
	if err != nil {
		return nil, err
	}
	stable, err := newBlockReader(ctx, querier, sides.Stable, sides.StableSeries, window)
	if err != nil {
		return nil, err
	}
	for from, to := range pieces(sides.Canary.lookback(), window) {
		mine, err := canary.read(ctx, from, to)
		if err != nil {
			return nil, fmt.Errorf("read the canary: %w", err)
		}
		theirs, err := stable.read(ctx, from, to)
		if err != nil {
			return nil, fmt.Errorf("read the stable track: %w", err)
		}
		err = window.eachBlock(from, to, func(start, end time.Time, at int) error {
			return visit(Block{Start: start, End: end, Canary: mine[at], Stable: theirs[at]})
		})
		if err != nil {
			return nil, err
		}
	}
	return append(canary.notes(), stable.notes()...), nil
}

// ReadRises is [ReadBlocks] for the counters of one track, that a selector names.
func ReadRises(ctx context.Context, querier Querier, metrics Metrics, series string, window Window,
	length time.Duration, visit func(start, end time.Time, rises []Rise) error) (notes []string, err error) {
	if window.block, err = blockLength(length); err != nil {
		return nil, err
	}
	reader, err := newBlockReader(ctx, querier, metrics, series, window)
	if err != nil {
		return nil, err
	}
	for from, to := range pieces(metrics.lookback(), window) {
		rises, err := reader.read(ctx, from, to)
		if err != nil {
			return nil, err
		}
		err = window.eachBlock(from, to, func(start, end time.Time, at int) error { return visit(start, end, rises[at]) })
		if err != nil {
			return nil, err
		}
	}
	return reader.notes(), nil
}

// blockLength checks the length of a block.
func blockLength(length time.Duration) (time.Duration, error) {
	if length <= 0 || chunk%length != 0 {
		return 0, fmt.Errorf("blocks of %v: allowed are divisors of %v", length, chunk)
	}
	return length, nil
}

// eachBlock visits the blocks of a piece with their numbers.
func (w Window) eachBlock(from, to time.Time, visit func(start, end time.Time, at int) error) error {
	if from.Before(w.Start) {
		from = w.Start
	}
	for start := from; start.Before(to); start = start.Add(w.block) {
		end := start.Add(w.block)
		if end.After(to) {
			end = to
		}
		if err := visit(start, end, w.blockOf(end)); err != nil {
			return err
		}
	}
	return nil
}

// blockReader reads the blocks of one track.
type blockReader struct {
	querier  Querier
	selector string
	tally    *tally
}

func newBlockReader(ctx context.Context, querier Querier, metrics Metrics, selector string,
	window Window) (*blockReader, error) {
	born, err := register(ctx, querier, metrics, window)
	if err != nil {
		return nil, err
	}
	return &blockReader{querier: querier, selector: selector, tally: newTally(window, born)}, nil
}

// read gives the rises of the time by the number of their block.
func (r *blockReader) read(ctx context.Context, from, to time.Time) (map[int][]Rise, error) {
	matrix, err := r.querier.Samples(ctx, r.selector, from, to)
	if err != nil {
		return nil, err
	}
	if err := r.tally.add(matrix); err != nil {
		return nil, err
	}
	blocks := map[int][]Rise{}
	for _, p := range r.tally.processes {
		for _, series := range p.series {
			if !p.life.IsStrange() {
				for at, by := range series.blocks {
					blocks[at] = append(blocks[at], Rise{Pod: podName(p.pod), Labels: series.served, By: by})
				}
			}
			series.blocks = nil
		}
	}
	return blocks, nil
}

// notes are about processes that are not counted.
func (r *blockReader) notes() []string {
	_, notes, err := r.tally.counted()
	if err != nil {
		notes = append(notes, err.Error())
	}
	return slices.Compact(notes)
}
