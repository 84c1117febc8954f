package settings

import (
	"regexp"

	"github.com/prometheus/common/model"
)

// Preflight configures the checklist before a deployment.
type Preflight struct {
	// DatabaseBackup and EventStoreBackup name the CronJob or Job that makes the backup, as namespace/name; empty for a
	// backup that somebody attests.
	DatabaseBackup   string `json:"databaseBackup"`
	EventStoreBackup string `json:"eventStoreBackup"`
	// BackupAge is how old the last success may be, RehearsalAge how old the last rehearsal of a rollback.
	BackupAge    model.Duration `json:"backupAge"`
	RehearsalAge model.Duration `json:"rehearsalAge"`
}

var objectPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

func (s *Settings) validatePreflight(errs *problems) {
	for _, job := range []struct{ key, name string }{
		{"preflight.databaseBackup", s.Preflight.DatabaseBackup}, {"preflight.eventStoreBackup",
			s.Preflight.EventStoreBackup},
	} {
		if job.name != "" && !objectPattern.MatchString(job.name) {
			errs.add(job.key, job.name, errs.setPath(job.key, "data/postgres-backup"),
				"allowed is namespace/name of a CronJob or Job, or nothing")
		}
	}
	for _, age := range []struct {
		key   string
		value model.Duration
	}{{"preflight.backupAge", s.Preflight.BackupAge}, {"preflight.rehearsalAge", s.Preflight.RehearsalAge}} {
		if age.value <= 0 {
			errs.add(age.key, age.value.String(), errs.setPath(age.key, "1d"), "must be more than 0")
		}
	}
}
