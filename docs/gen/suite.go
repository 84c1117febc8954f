package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

//go:embed suite.md
var suitePreamble string

// suiteTypes are the types of a suite in the order of the document, with their headings.
var suiteTypes = []struct{ name, heading, link string }{
	{"Suite", "The suite", "suite"}, {"Check", "A check", "check"}, {"Step", "A step", "step"},
	{"Request", "A request", "request"}, {"Expectation", "An expectation", "expectation"},
	{"HeaderMatch", "A header", "header"}, {"JSONMatch", "A value in a JSON body", "value"},
	{"BodyMatch", "The text of a body", "text"}, {"Latency", "A latency", "latency"},
}

// templateMeanings say what the templated values stand for. The code has the same names, or nothing is written.
var templateMeanings = map[string]string{ //nolint:gosec // descriptions, and no credentials
	"environment":   "the stack's environment, such as staging",
	"allowedOrigin": "the first origin of `smoke.origin` or `smoke.originFrom`",
	"foreignOrigin": "an origin that no service allows",
	"token":         "a token that `smoke.tokenFrom` signs for ten minutes, or that of STAGING_JWT_TOKEN or PROD_JWT_TOKEN",
	"forgedToken":   "the same token with another signature",
	"expiredToken":  "a token that has expired",
	"unsignedToken": "a token with the algorithm none",
}

// suiteReference writes the reference of smoke suites from the types that read them.
func suiteReference(root string) (string, error) {
	folder := filepath.Join(root, "internal", "smoke")
	types, err := parseFile(filepath.Join(folder, "suite.go"))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(suitePreamble)
	for _, one := range suiteTypes {
		fields := fieldsOf(types, one.name)
		if len(fields) == 0 {
			return "", fmt.Errorf("the smoke suite has no type %s any more", one.name)
		}
		fmt.Fprintf(&text, "\n## %s\n\n| field | type | meaning |\n|---|---|---|\n", one.heading)
		for _, field := range fields {
			fmt.Fprintf(&text, "| `%s` | %s | %s |\n", field.name, field.of, cell(field.meaning))
		}
	}
	err = writeTemplates(&text, filepath.Join(folder, "values.go"))
	return text.String(), err
}

// writeTemplates writes the table of the templated values.
func writeTemplates(text *strings.Builder, path string) error {
	values, err := parseFile(path)
	if err != nil {
		return err
	}
	known := templatesOf(values)
	if described := slices.Sorted(maps.Keys(templateMeanings)); !slices.Equal(known, described) {
		return fmt.Errorf("the smoke suite has the templates %v, and %v are described", known, described)
	}
	text.WriteString("\n## Templates\n\n| template | stands for |\n|---|---|\n")
	for _, name := range known {
		fmt.Fprintf(text, "| `{{%s}}` | %s |\n", name, templateMeanings[name])
	}
	return nil
}

func parseFile(path string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
}

// suiteField is a field as a suite's file writes it.
type suiteField struct{ name, of, meaning string }

// fieldsOf lists the fields of a struct type.
func fieldsOf(file *ast.File, name string) []suiteField {
	var fields []suiteField
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		of, ok := spec.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, field := range of.Fields.List {
			for _, ident := range field.Names {
				written := yamlName(field, ident.Name)
				fields = append(fields, suiteField{written, suiteTypeName(field.Type), meaningOf(field, ident.Name, written)})
			}
		}
		return false
	})
	return fields
}

// yamlName is the name that a field's tag gives it; without one, the Go name as a file spells it.
func yamlName(field *ast.Field, name string) string {
	if field.Tag != nil {
		if tag, err := strconv.Unquote(field.Tag.Value); err == nil && reflect.StructTag(tag).Get("yaml") != "" {
			return reflect.StructTag(tag).Get("yaml")
		}
	}
	letters := []rune(name)
	letters[0] = unicode.ToLower(letters[0])
	return string(letters)
}

// suiteTypeName is how the reference calls a type.
func suiteTypeName(of ast.Expr) string {
	switch of := of.(type) {
	case *ast.StarExpr:
		return suiteTypeName(of.X)
	case *ast.ArrayType:
		return "list of " + suiteTypeName(of.Elt)
	case *ast.MapType:
		return "map of " + suiteTypeName(of.Value)
	case *ast.SelectorExpr:
		return strings.ToLower(of.Sel.Name)
	case *ast.Ident:
		for _, one := range suiteTypes {
			if one.name == of.Name {
				anchor := strings.ToLower(strings.ReplaceAll(one.heading, " ", "-"))
				return fmt.Sprintf("[%s](#%s)", one.link, anchor)
			}
		}
		switch of.Name {
		case "int":
			return "integer"
		case "bool":
			return "boolean"
		case "Kind":
			return "`http` or `latency`"
		case "StatusRange":
			return "status or range"
		default:
			return of.Name
		}
	default:
		return "any"
	}
}

// meaningOf is a field's comment on one line, with the names of the fields and constants as a file writes them.
func meaningOf(field *ast.Field, goName, fileName string) string {
	text := strings.Join(strings.Fields(field.Doc.Text()), " ")
	if rest, leads := strings.CutPrefix(text, goName+" "); leads {
		text = "`" + fileName + "` " + rest
	}
	return strings.NewReplacer("KindHTTP", "`http`", "and is nil for every other kind", "and is left out for every other kind",
		"ExpectIn", "`expectIn`", "replaces Expect", "replaces `expect`", "ExemptPaths", "`exemptPaths`").Replace(text)
}

// templatesOf lists the keys of the map that the function templates gives, sorted.
func templatesOf(file *ast.File) []string {
	var names []string
	ast.Inspect(file, func(node ast.Node) bool {
		function, ok := node.(*ast.FuncDecl)
		if ok && function.Name.Name != "templates" {
			return false
		}
		if pair, isPair := node.(*ast.KeyValueExpr); isPair {
			if key, isText := pair.Key.(*ast.BasicLit); isText {
				if name, err := strconv.Unquote(key.Value); err == nil {
					names = append(names, name)
				}
			}
		}
		return true
	})
	slices.Sort(names)
	return names
}
