package redact_test

import (
	"fmt"

	"github.com/vextrus/finance-rollout/internal/redact"
)

func Example() {
	r := redact.New([]string{"a-mounted-secret"})
	fmt.Println(r.Text("dial postgres://app:hunter2@db:5432/finance: password authentication failed"))
	fmt.Println(r.Text(`{"msg":"{\"apiKey\":\"0123456789\"}","got":"a-mounted-secret"}`))
	fmt.Println(r.Text("TOKEN_TTL=3600, password must not be empty"))
	fmt.Println(redact.KindOf("DATABASE_PASSWORD", "hunter2"))
	// Output:
	// dial postgres://[redacted]@db:5432/finance: password authentication failed
	// {"msg":"{\"apiKey\":\"[redacted]\"}","got":"[redacted]"}
	// TOKEN_TTL=3600, password must not be empty
	// a value in the open
}
