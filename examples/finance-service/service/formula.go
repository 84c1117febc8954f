package service

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// maxFormula bounds a formula, in bytes, and with it the depth of its expression.
const maxFormula = 256

// cellName is what a reference to another cell looks like.
var cellName = regexp.MustCompile(`^[A-Z]{1,3}[1-9][0-9]{0,6}$`)

// evaluate computes a formula: numbers, cells, + - * / and parentheses, with an optional leading "=". A formula is read
// as Go reads an expression, and everything else that can be written there is refused; nothing is ever run. The errors
// are written for the author of the formula.
func evaluate(formula string, cells map[string]float64) (float64, error) {
	if len(formula) > maxFormula {
		return 0, fmt.Errorf("a formula has at most %d characters", maxFormula)
	}
	expr, err := parser.ParseExpr(strings.TrimPrefix(strings.TrimSpace(formula), "="))
	if err != nil {
		return 0, errors.New("a formula holds numbers, cells, + - * / and parentheses")
	}
	value, err := evaluateExpr(expr, cells)
	if err != nil {
		return 0, err
	}
	if math.IsInf(value, 0) || math.IsNaN(value) {
		return 0, errors.New("the formula has no finite value")
	}
	return value, nil
}

func evaluateExpr(expr ast.Expr, cells map[string]float64) (float64, error) {
	switch e := expr.(type) {
	case *ast.ParenExpr:
		return evaluateExpr(e.X, cells)
	case *ast.BasicLit:
		if e.Kind != token.INT && e.Kind != token.FLOAT {
			return 0, errors.New("a formula holds numbers, not texts")
		}
		value, err := strconv.ParseFloat(e.Value, 64)
		// Go also writes 1_000 and 0x1p4.
		if err != nil || strings.ContainsAny(e.Value, "_xX") {
			return 0, fmt.Errorf("%q is not a decimal number", e.Value)
		}
		return value, nil
	case *ast.Ident:
		value, ok := cells[e.Name]
		if !cellName.MatchString(e.Name) || !ok {
			return 0, fmt.Errorf("%q is not a cell that was given", e.Name)
		}
		return value, nil
	case *ast.UnaryExpr:
		value, err := evaluateExpr(e.X, cells)
		if e.Op == token.SUB {
			value = -value
		} else if e.Op != token.ADD {
			return 0, fmt.Errorf("operator %q is not arithmetic", e.Op)
		}
		return value, err
	case *ast.BinaryExpr:
		return evaluateBinary(e, cells)
	default:
		return 0, errors.New("a formula holds only arithmetic; it cannot call, index or define anything")
	}
}

func evaluateBinary(e *ast.BinaryExpr, cells map[string]float64) (float64, error) {
	left, err := evaluateExpr(e.X, cells)
	if err != nil {
		return 0, err
	}
	right, err := evaluateExpr(e.Y, cells)
	if err != nil {
		return 0, err
	}
	switch e.Op {
	case token.ADD:
		return left + right, nil
	case token.SUB:
		return left - right, nil
	case token.MUL:
		return left * right, nil
	case token.QUO:
		return left / right, nil
	default:
		return 0, fmt.Errorf("operator %q is not arithmetic", e.Op)
	}
}
