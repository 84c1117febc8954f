package settings

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Values are texts by name. Numbers and booleans are read as the text that they are written as, because `pulumi
// config set
// --path` stores a value that looks like one without quotes.
type Values map[string]string

// UnmarshalJSON reads an object of scalars. It replaces the values that are there, defaults among them, so that a
// service need not inherit the names of another one.
func (v *Values) UnmarshalJSON(data []byte) error {
	var scalars map[string]scalar
	if err := json.Unmarshal(data, &scalars); err != nil {
		return err
	}
	read := Values{}
	for name, text := range scalars {
		read[name] = string(text)
	}
	*v = read
	return nil
}

// Quantity is an amount in Kubernetes' notation, such as 500m or 1Gi.
type Quantity string

// UnmarshalJSON reads a text or a number.
func (q *Quantity) UnmarshalJSON(data []byte) error { return unmarshalScalar(data, (*string)(q)) }

// UnmarshalJSON reads a text or a number.
func (s *Secret) UnmarshalJSON(data []byte) error { return unmarshalScalar(data, (*string)(s)) }

type scalar string

func (s *scalar) UnmarshalJSON(data []byte) error { return unmarshalScalar(data, (*string)(s)) }

func unmarshalScalar(data []byte, text *string) error {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) == 0 || data[0] == '{' || data[0] == '[':
		return errors.New("a text is needed, not an object or a list")
	case data[0] == '"':
		return json.Unmarshal(data, text)
	case string(data) == "null":
		*text = ""
	default:
		*text = string(data)
	}
	return nil
}
