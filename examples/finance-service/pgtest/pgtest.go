// Package pgtest starts a real PostgreSQL for tests: the installed server, with a cluster of its own in a temporary
// directory, on a free port of 127.0.0.1. It may not import anything else of this module.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	host     = "127.0.0.1"
	username = "finance"
	database = "postgres"

	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// Server is a running PostgreSQL. Username may do everything in Database.
type Server struct {
	Host, Username, Password, Database string
	Port                               int

	dir     string
	process *os.Process
	exited  chan struct{}
	output  bytes.Buffer
}

// Start creates a database cluster and starts a server on it. It needs PostgreSQL's server programs, on PATH or where
// Debian puts them; the error says so if there are none. Stop must be called.
func Start(ctx context.Context) (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, fmt.Errorf("create a directory for the database: %w", err)
	}
	s := &Server{Host: host, Username: username, Password: rand.Text(), Database: database, dir: dir}
	if err := s.start(ctx, programs, owner); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Main runs the tests of a package with one server for all of them, which *server holds meanwhile. It returns the
// exit code.
func Main(m *testing.M, server **Server) int {
	started, err := Start(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	*server = started
	code := m.Run()
	if err := started.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (s *Server) start(ctx context.Context, programs string, owner *syscall.Credential) error {
	passwordFile := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(s.Password), 0o600); err != nil {
		return fmt.Errorf("write the database's password: %w", err)
	}
	if owner != nil {
		for _, path := range []string{s.dir, passwordFile} {
			if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
				return fmt.Errorf("give the database's files to user postgres: %w", err)
			}
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(programs, "initdb"), "--pgdata", data, "--username", username,
		"--pwfile", passwordFile, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir = s.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	s.Port = port
	server := exec.Command(filepath.Join(programs, "postgres"), "-D", data, "-h", host, "-p", strconv.Itoa(port),
		"-k", "", "-c", "fsync=off", "-c", "max_connections=50", "-c", "shared_buffers=16MB")
	server.Dir = s.dir
	server.Stdout, server.Stderr = &s.output, &s.output
	// A test binary that is killed must not leave a server behind.
	server.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT}
	if err := s.launch(server); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	return s.wait(ctx)
}

// launch starts the server from a thread that lives as long as the server does: the kernel takes the end of the
// thread for that of the parent.
func (s *Server) launch(server *exec.Cmd) error {
	started := make(chan error, 1)
	s.exited = make(chan struct{})
	go func() {
		runtime.LockOSThread()
		err := server.Start()
		s.process = server.Process
		started <- err
		if err == nil {
			_ = server.Wait() // How it ended is in its output.
		}
		close(s.exited)
	}()
	return <-started
}

// wait returns once the server takes queries.
func (s *Server) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	address := fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", s.Host, s.Port, s.Username, s.Password,
		s.Database)
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended: %s", s.output.String())
		case <-ctx.Done():
			return fmt.Errorf("postgres takes no queries after %s: %w", startTimeout, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server and removes its files.
func (s *Server) Stop() error {
	var err error
	if s.process != nil {
		err = s.process.Signal(syscall.SIGQUIT)
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		select {
		case <-s.exited:
		case <-time.After(stopTimeout):
			err = errors.Join(errors.New("postgres did not stop in time"), s.process.Kill())
			<-s.exited
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// findPrograms returns the directory of PostgreSQL's server programs.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path), nil
	}
	servers, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(servers) == 0 {
		return "", errors.New("postgres is neither on PATH nor in /usr/lib/postgresql/*/bin; install the package postgresql")
	}
	return filepath.Dir(servers[len(servers)-1]), nil
}

// serverUser returns whom to run the server as, nil meaning the current user: PostgreSQL refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user for it; install the package "+
			"postgresql: %w", err)
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(errUID, errGID); err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}
