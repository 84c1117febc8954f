package settings

import (
	"fmt"
	"strconv"
)

// Weight is an optional percentage of the requests. The zero Weight is not set.
type Weight struct {
	Percent int
	Set     bool
}

// UnmarshalText reads a whole number from 0 to 100; the empty string is a weight that is not set.
func (w *Weight) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*w = Weight{}
		return nil
	}
	percent, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("not a whole number: allowed are 0 to 100, without a percent sign")
	}
	if percent < 0 || percent > 100 {
		return fmt.Errorf("out of range: allowed are 0 to 100")
	}
	*w = Weight{Percent: percent, Set: true}
	return nil
}

// UnmarshalJSON reads a number or a text, because `pulumi config set --path` stores what looks like a number as one.
func (w *Weight) UnmarshalJSON(data []byte) error {
	var text string
	if err := unmarshalScalar(data, &text); err != nil {
		return err
	}
	return w.UnmarshalText([]byte(text))
}

// MarshalText writes what UnmarshalText reads.
func (w Weight) MarshalText() ([]byte, error) {
	if !w.Set {
		return nil, nil
	}
	return strconv.AppendInt(nil, int64(w.Percent), 10), nil
}
