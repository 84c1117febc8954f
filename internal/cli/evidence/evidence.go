// Package evidence sums up the evidence of rolled-back canaries, for the command and for the dashboard.
package evidence

import (
	"context"
	"time"

	"github.com/vextrus/finance-rollout/internal/kube"
	"github.com/vextrus/finance-rollout/internal/rollback"
)

// Cluster is the part of internal/kube's Client that keeps the evidence.
type Cluster interface {
	// Evidence lists the archives of an app, the newest first.
	Evidence(ctx context.Context, namespace, app string) ([]kube.Archive, error)
}

// Summary is the summary of one rollback's evidence.
type Summary struct {
	Name    string    `json:"name"`
	Time    time.Time `json:"time"`
	Reason  string    `json:"reason"`
	Pods    int       `json:"pods"`
	Events  int       `json:"events"`
	Bytes   int       `json:"bytes"`
	Missing []string  `json:"missing,omitempty"`
	// Content is the unpacked archive, nil for one that cannot be read.
	Content *rollback.Evidence `json:"-"`
}

// List sums up the evidence of an app, the newest first. An archive that cannot be read says why in Missing.
func List(ctx context.Context, cluster Cluster, namespace, app string) ([]Summary, error) {
	archives, err := cluster.Evidence(ctx, namespace, app)
	if err != nil {
		return nil, err
	}
	list := []Summary{}
	for _, archive := range archives {
		item := Summary{Name: archive.Name, Bytes: len(archive.Archive)}
		content, err := rollback.Unpack(archive.Archive)
		if err != nil {
			item.Missing = []string{err.Error()}
		} else {
			item.Time, item.Reason, item.Pods, item.Events, item.Missing = content.Time, content.Reason, len(content.Pods),
				len(content.Events), content.Missing
			item.Content = &content
		}
		list = append(list, item)
	}
	return list, nil
}
