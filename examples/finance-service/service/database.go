package service

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schemaLock is the advisory lock under which the table is created: two pods that start together would otherwise both
// try.
const schemaLock = 3014

const createTable = `CREATE TABLE IF NOT EXISTS invoices (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	owner       text NOT NULL,
	number      text NOT NULL,
	amount      numeric(14, 2) NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now()
)`

// Invoice is one row of the table.
type Invoice struct {
	ID        int64
	Number    string
	Amount    string
	CreatedAt time.Time
}

// Database keeps invoices in PostgreSQL. Connections are opened when they are first needed, so that the service starts,
// and reports itself unhealthy, without a database. It is safe for concurrent use.
type Database struct {
	pool *pgxpool.Pool

	mu      sync.Mutex
	created bool
}

// OpenDatabase prepares a pool of connections. The error does not show the password.
func OpenDatabase(ctx context.Context, cfg DatabaseConfig) (*Database, error) {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(cfg.Username, string(cfg.Password)),
		Host:     net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)),
		Path:     "/" + cfg.Name,
		RawQuery: "connect_timeout=3&pool_max_conns=4",
	}
	pool, err := pgxpool.New(ctx, address.String())
	if err != nil {
		return nil, fmt.Errorf("configure the database: %w", err)
	}
	return &Database{pool: pool}, nil
}

// Close closes all connections.
func (d *Database) Close() { d.pool.Close() }

// Ping returns an error if the database cannot be reached.
func (d *Database) Ping(ctx context.Context) error { return d.pool.Ping(ctx) }

// Invoices returns the newest invoices of an owner, at most 50.
func (d *Database) Invoices(ctx context.Context, owner string) ([]Invoice, error) {
	if err := d.create(ctx); err != nil {
		return nil, err
	}
	rows, err := d.pool.Query(ctx,
		`SELECT id, number, amount::text, created_at FROM invoices WHERE owner = $1 ORDER BY id DESC LIMIT 50`, owner)
	if err != nil {
		return nil, fmt.Errorf("query invoices: %w", err)
	}
	invoices, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Invoice])
	if err != nil {
		return nil, fmt.Errorf("read invoices: %w", err)
	}
	return invoices, nil
}

// CreateInvoice stores an invoice; amount is a decimal number.
func (d *Database) CreateInvoice(ctx context.Context, owner, number, amount string) (Invoice, error) {
	if err := d.create(ctx); err != nil {
		return Invoice{}, err
	}
	rows, err := d.pool.Query(ctx,
		`INSERT INTO invoices (owner, number, amount) VALUES ($1, $2, $3::text::numeric)
		 RETURNING id, number, amount::text, created_at`, owner, number, amount)
	if err != nil {
		return Invoice{}, fmt.Errorf("insert an invoice: %w", err)
	}
	invoice, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Invoice])
	if err != nil {
		return Invoice{}, fmt.Errorf("insert an invoice: %w", err)
	}
	return invoice, nil
}

// create makes the table at the first use.
func (d *Database) create(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.created {
		return nil
	}
	err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, createTable)
		return err
	})
	if err != nil {
		return fmt.Errorf("create the invoices table: %w", err)
	}
	d.created = true
	return nil
}
