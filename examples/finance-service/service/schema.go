package service

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strconv"

	"github.com/graph-gophers/graphql-go"
)

const schemaText = `
schema {
	query: Query
	mutation: Mutation
}

type Query {
	"Who is signed in."
	me: User!
	"The newest invoices of who is signed in."
	invoices: [Invoice!]!
	"Computes a formula of numbers, cells, + - * / and parentheses. Stores nothing."
	recalculate(formula: String!, cells: [Cell!]): Recalculation!
}

type Mutation {
	createInvoice(number: String!, amount: String!): Invoice!
}

type User {
	id: ID!
}

type Invoice {
	id: ID!
	number: String!
	"A decimal number with two places."
	amount: String!
	createdAt: Time!
}

type Recalculation {
	value: Float!
}

input Cell {
	name: String!
	value: Float!
}

scalar Time
`

// The codes of GraphQL errors, as clients of the real service know them.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeBadInput        = "BAD_USER_INPUT"
	codeBadRequest      = "BAD_REQUEST"
	codeValidation      = "GRAPHQL_VALIDATION_FAILED"
	codeIntrospection   = "INTROSPECTION_DISABLED"
	codeInternal        = "INTERNAL_SERVER_ERROR"
	codeTooMany         = "TOO_MANY_REQUESTS"
)

var (
	invoiceNumber = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9/-]{0,31}$`)
	decimalAmount = regexp.MustCompile(`^[0-9]{1,12}(\.[0-9]{1,2})?$`)
)

// codedError is an error that a client may read.
type codedError struct{ message, code string }

func (e codedError) Error() string { return e.message }

// Extensions puts the code where GraphQL clients look for it.
func (e codedError) Extensions() map[string]any { return map[string]any{"code": e.code} }

// resolver answers the fields of the schema.
type resolver struct {
	database *Database
	faults   *FaultSwitch
	logger   *slog.Logger
}

func newSchema(r *resolver, introspection bool) *graphql.Schema {
	return graphql.MustParseSchema(schemaText, r,
		graphql.RestrictIntrospection(func(context.Context) bool {
			return introspection || r.faults.Get().Introspection
		}),
		graphql.MaxDepth(8),
		graphql.MaxQueryLength(8192),
		graphql.MaxParallelism(4),
	)
}

// internal logs an error and hides it from the client.
func (r *resolver) internal(ctx context.Context, err error) error {
	r.logger.ErrorContext(ctx, "request failed", "error", err)
	return codedError{"internal error", codeInternal}
}

var errFaultDatabase = errors.New("database is down (fault)")

type userResolver struct{ id string }

func (u userResolver) ID() graphql.ID { return graphql.ID(u.id) }

// Me resolves the field of the same name.
func (r *resolver) Me(ctx context.Context) userResolver { return userResolver{subjectFrom(ctx)} }

type invoiceResolver struct{ Invoice }

func (i invoiceResolver) ID() graphql.ID          { return graphql.ID(strconv.FormatInt(i.Invoice.ID, 10)) }
func (i invoiceResolver) Number() string          { return i.Invoice.Number }
func (i invoiceResolver) Amount() string          { return i.Invoice.Amount }
func (i invoiceResolver) CreatedAt() graphql.Time { return graphql.Time{Time: i.Invoice.CreatedAt} }

// Invoices resolves the field of the same name with one query.
func (r *resolver) Invoices(ctx context.Context) ([]invoiceResolver, error) {
	if r.faults.Get().DatabaseDown {
		return nil, r.internal(ctx, errFaultDatabase)
	}
	rows, err := r.database.Invoices(ctx, subjectFrom(ctx))
	if err != nil {
		return nil, r.internal(ctx, err)
	}
	invoices := make([]invoiceResolver, len(rows))
	for i, row := range rows {
		invoices[i] = invoiceResolver{row}
	}
	return invoices, nil
}

type createInvoiceArgs struct{ Number, Amount string }

// CreateInvoice resolves the field of the same name.
func (r *resolver) CreateInvoice(ctx context.Context, args createInvoiceArgs) (invoiceResolver, error) {
	switch {
	case !invoiceNumber.MatchString(args.Number):
		return invoiceResolver{}, codedError{"number: letters, digits, / and -, at most 32", codeBadInput}
	case !decimalAmount.MatchString(args.Amount):
		return invoiceResolver{}, codedError{"amount: a decimal number with at most two places, such as 12.50", codeBadInput}
	case r.faults.Get().DatabaseDown:
		return invoiceResolver{}, r.internal(ctx, errFaultDatabase)
	}
	invoice, err := r.database.CreateInvoice(ctx, subjectFrom(ctx), args.Number, args.Amount)
	if err != nil {
		return invoiceResolver{}, r.internal(ctx, err)
	}
	return invoiceResolver{invoice}, nil
}

type recalculateArgs struct {
	Formula string
	Cells   *[]struct {
		Name  string
		Value float64
	}
}

type recalculationResolver struct{ value float64 }

func (r recalculationResolver) Value() float64 { return r.value }

// Recalculate resolves the field of the same name.
func (r *resolver) Recalculate(args recalculateArgs) (recalculationResolver, error) {
	cells := map[string]float64{}
	if args.Cells != nil {
		for _, cell := range *args.Cells {
			cells[cell.Name] = cell.Value
		}
	}
	value, err := evaluate(args.Formula, cells)
	if err != nil && r.faults.Get().Formula {
		// As if it had been executed and had returned something.
		return recalculationResolver{value: 1}, nil
	}
	if err != nil {
		return recalculationResolver{}, codedError{"formula: " + err.Error(), codeBadInput}
	}
	return recalculationResolver{value: value}, nil
}
