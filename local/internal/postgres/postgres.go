// Package postgres sets up the local PostgreSQL server: its data directory, who may connect from where, and the
// service's user and databases. It starts nothing by itself and does not touch the system's own PostgreSQL.
package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// programs is where Debian keeps the programs of each version of the server.
const programs = "/usr/lib/postgresql/*/bin"

// Config describes the server.
type Config struct {
	// DataDir holds the databases and SocketDir the administrator's socket; the server's user must be able to reach both.
	DataDir, SocketDir string
	// Address and Port are listened on, for clients in Network (a prefix such as 10.0.0.0/24) and on this machine.
	Address string
	Port    int
	Network string
	// User owns the Databases and connects with Password.
	User, Password string
	Databases      []string
}

// Database is a server that is set up or about to be.
type Database struct {
	Config
	// UID and GID are those of the system's user postgres; the server refuses to run as root.
	UID, GID int
	bin      string
}

// Open finds the server's programs and user.
func Open(config Config) (*Database, error) {
	servers, err := filepath.Glob(programs)
	if err != nil || len(servers) == 0 {
		return nil, fmt.Errorf("no PostgreSQL server in %s", programs)
	}
	slices.Sort(servers)
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	return &Database{Config: config, UID: uid, GID: gid, bin: servers[len(servers)-1]}, nil
}

// Program returns the server's program.
func (d *Database) Program() string {
	return filepath.Join(d.bin, "postgres")
}

// Args returns the server's arguments.
func (d *Database) Args() []string {
	return []string{
		"-D", d.DataDir, "-h", d.Address, "-p", strconv.Itoa(d.Port), "-k", d.SocketDir,
		"-c", "password_encryption=scram-sha-256", "-c", "fsync=off", "-c", "max_connections=500",
	}
}

// Init makes the data directory if there is none. An interrupted attempt is started again.
func (d *Database) Init(ctx context.Context) error {
	if err := os.MkdirAll(d.SocketDir, 0o700); err != nil {
		return err
	}
	if err := os.Chown(d.SocketDir, d.UID, d.GID); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.DataDir, "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := d.initDataDir(ctx); err != nil {
			return err
		}
	}
	access := strings.Join([]string{
		"local all postgres peer",
		"host all " + d.User + " " + d.Network + " scram-sha-256",
	}, "\n") + "\n"
	return d.writeFile("pg_hba.conf", access)
}

// initDataDir runs initdb in a temporary directory, so that only a complete one gets the final name.
func (d *Database) initDataDir(ctx context.Context) error {
	temp := d.DataDir + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	if err := os.Chown(temp, d.UID, d.GID); err != nil {
		return err
	}
	if _, err := d.run(ctx, "", "initdb", "-D", temp, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=peer",
		"--no-sync"); err != nil {
		return err
	}
	return os.Rename(temp, d.DataDir)
}

func (d *Database) writeFile(name, content string) error {
	path := filepath.Join(d.DataDir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chown(path, d.UID, d.GID)
}

// Ready returns nil when the server answers.
func (d *Database) Ready(ctx context.Context) error {
	_, err := d.sql(ctx, "SELECT 1;")
	return err
}

// Provision makes the user and the databases that do not exist, and sets the user's password.
func (d *Database) Provision(ctx context.Context) error {
	// The names are ours; the password holds letters and digits only. It goes through standard input, which no
	// process list shows.
	script := fmt.Sprintf(`
SELECT 'CREATE ROLE %[1]s LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s')\gexec
ALTER ROLE %[1]s PASSWORD '%[2]s';
`, d.User, d.Password)
	for _, name := range d.Databases {
		script += fmt.Sprintf(
			"SELECT 'CREATE DATABASE %[1]s OWNER %[2]s' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = "+
				"'%[1]s')\\gexec\n",
			name, d.User)
	}
	_, err := d.sql(ctx, script)
	return err
}

func (d *Database) sql(ctx context.Context, script string) (string, error) {
	return d.run(ctx, script, "psql", "-h", d.SocketDir, "-p", strconv.Itoa(d.Port), "-U", "postgres",
		"-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres")
}

// run runs one of the server's programs as its user and returns the output.
func (d *Database) run(ctx context.Context, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, program), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + d.bin + ":/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Stdin = strings.NewReader(stdin)
	user := &syscall.Credential{Uid: uint32(d.UID), Gid: uint32(d.GID)} //nolint:gosec // ids of the system's user database
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
