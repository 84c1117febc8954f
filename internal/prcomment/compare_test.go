package prcomment

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

const blinded = `{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}`

func TestCompare(t *testing.T) {
	tests := map[string]struct {
		kind, before, after string
		detailed            []string
		want                []Property
	}{
		"number": {
			before: `{"spec":{"replicas":9}}`, after: `{"spec":{"replicas":7}}`,
			want: []Property{{"spec.replicas", "9", "7"}},
		},
		"nothing": {before: `{"a":[1,{"b":true}]}`, after: `{"a":[1,{"b":true}]}`},
		"a variable in front of others": {
			before: `{"env":[{"name":"B","value":"1"},{"name":"C","value":"2"}]}`,
			after:  `{"env":[{"name":"A","value":"0"},{"name":"B","value":"1"},{"name":"C","value":"3"}]}`,
			want:   []Property{{"env[A].name", "", "A"}, {"env[A].value", "", "0"}, {"env[C].value", "2", "3"}},
		},
		"a list by position": {
			before: `{"drop":["NET_RAW"]}`, after: `{"drop":["ALL"]}`,
			want: []Property{{"drop[0]", "NET_RAW", "ALL"}},
		},
		"two of one name": {
			before: `{"l":[{"name":"a","v":1},{"name":"a","v":2}]}`, after: `{"l":[{"name":"a","v":1},{"name":"a","v":3}]}`,
			want: []Property{{"l[1].v", "2", "3"}},
		},
		"gone and empty": {
			before: `{"a":"x","b":"","c":null}`, after: `{"b":"y","c":"z"}`,
			want: []Property{{"a", "x", ""}, {"b", `""`, "y"}, {"c", "", "z"}},
		},
		"a rotated secret": {
			kind: "kubernetes:core/v1:Secret", before: `{"data":` + blinded + `}`, after: `{"data":` + blinded + `}`,
			detailed: []string{"data.password", "metadata.labels.app"},
			want:     []Property{{"data.password", hiddenSecret, hiddenSecret}},
		},
		"a secret that is none any more": {
			before: `{"v":` + blinded + `}`, after: `{"v":"open"}`,
			want: []Property{{"v", hiddenSecret, "open"}},
		},
		"the data of a Secret that nobody marked": {
			kind: "kubernetes:core/v1:Secret", before: `{"stringData":{"a":"hunter2"}}`, after: `{"stringData":{"a":"hunter3"}}`,
			want: []Property{{"stringData.a", hiddenSecret, hiddenSecret}},
		},
		"what looks like a credential": {
			before: `{"env":[{"name":"API_KEY","value":"0123"}]}`,
			after:  `{"env":[{"name":"API_KEY","value":"4567"},{"name":"DB","value":"postgres://a:hunter2@db"}]}`,
			want: []Property{{"env[API_KEY].value", hiddenLooks, hiddenLooks}, {"env[DB].name", "", "DB"},
				{"env[DB].value", "", hiddenLooks}},
		},
		"unknown": {
			before: `{"a":"x"}`, after: `{"a":"04da6b54-80e4-46f7-96ec-b56ff0331ba9"}`,
			want: []Property{{"a", "x", hiddenUnknown}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			detailed := map[string]apitype.PropertyDiff{}
			for _, path := range tt.detailed {
				detailed[path] = apitype.PropertyDiff{Kind: apitype.DiffUpdate}
			}
			if diff := cmp.Diff(tt.want, compare(tt.kind, decoded(t, tt.before), decoded(t, tt.after), detailed)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
