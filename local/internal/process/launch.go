package process

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// launchRequest is the launcher's input from Ensure.
type launchRequest struct {
	Spec     Spec
	Record   string
	SpecHash string
}

// Launch turns the calling process into the program that the request describes: it writes its record, enters its
// cgroups, drops its privileges and executes the program. It returns only on failure.
func Launch(request string) error {
	var req launchRequest
	if err := json.Unmarshal([]byte(request), &req); err != nil {
		return fmt.Errorf("launch request: %w", err)
	}
	self, err := Self()
	if err != nil {
		return err
	}
	content, err := json.Marshal(record{Identity: self, SpecHash: req.SpecHash})
	if err != nil {
		return err
	}
	temp := req.Record + ".tmp"
	if err := os.WriteFile(temp, content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(temp, req.Record); err != nil {
		return err
	}
	for _, procs := range req.Spec.Cgroups {
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return fmt.Errorf("enter cgroup: %w", err)
		}
	}
	if err := dropPrivileges(req.Spec.UID, req.Spec.GID); err != nil {
		return err
	}
	argv := append([]string{req.Spec.Path}, req.Spec.Args...)
	return fmt.Errorf("execute %s: %w", req.Spec.Path, syscall.Exec(req.Spec.Path, argv, os.Environ()))
}

func dropPrivileges(uid, gid int) error {
	if uid == 0 && gid == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("set gid %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("set uid %d: %w", uid, err)
	}
	return nil
}
