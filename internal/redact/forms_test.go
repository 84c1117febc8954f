package redact

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// pw stands for the credential in the forms below.
const pw = "Tr0ub4dor7n3verS33n"

// forms are the ways in which files, commands and programs write a password, by what writes it so. Each %s is it.
var forms = map[string]string{
	// Addresses and connection strings.
	"PostgreSQL":             "postgres://app:%s@db:5432/finance?sslmode=require",
	"PostgreSQL by words":    "host=db user=app password=%s dbname=finance",
	"PostgreSQL by query":    "postgresql:///finance?host=/run&user=app&password=%s",
	"JDBC":                   "jdbc:postgresql://db/finance?user=app&password=%s",
	"JDBC of Oracle":         "jdbc:oracle:thin:app/%s@//db:1521/finance",
	"JDBC of SQL Server":     "jdbc:sqlserver://db:1433;databaseName=finance;user=app;password=%s;encrypt=true",
	"MySQL of Go":            "app:%s@tcp(db:3306)/finance?parseTime=true",
	"MySQL":                  "mysql://app:%s@db:3306/finance",
	"MongoDB":                "mongodb+srv://app:%s@cluster0.example.net/finance?retryWrites=true",
	"SQL Server":             "sqlserver://sa:%s@db:1433?database=finance",
	"ADO.NET":                "Server=tcp:db,1433;User ID=app;Password=%s;Encrypt=True;",
	"ODBC":                   "Driver={ODBC Driver 18};Server=db;Uid=app;Pwd=%s;",
	"Redis":                  "redis://:%s@cache:6379/0",
	"Redis with a user":      "rediss://default:%s@cache:6380",
	"StackExchange.Redis":    "cache:6380,password=%s,ssl=True,abortConnect=False",
	"AMQP":                   "amqps://app:%s@mq/finance",
	"NATS":                   "nats://app:%s@nats:4222",
	"EventStoreDB":           "esdb+discover://admin:%s@eventstore:2113?tls=true",
	"ClickHouse":             "clickhouse://ch:9000/finance?username=app&password=%s",
	"Snowflake":              "snowflake://app:%s@account/finance",
	"LDAP":                   "ldaps://cn=app:%s@ldap:636",
	"SMTP":                   "smtps://mailer:%s@mail:465",
	"Service Bus":            "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKey=%s0123456789abcdef=",
	"Storage account":        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=%s0123456789abcdefABCDEF==;",
	"shared access":          "https://a.blob.core.windows.net/c?sv=2022-11-02&se=2030&sig=%sabcdef0123456789%%3D",
	"Kafka":                  `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="app" password="%s";`,
	"a proxy":                "HTTPS_PROXY=http://app:%s@proxy:3128",
	"a repository of git":    "https://app:%s@github.com/vextrus/finance.git",
	"an address in brackets": "<postgres://app:%s@db/finance>",

	// Files of tools.
	".npmrc token":        "//registry.npmjs.org/:_authToken=%s",
	".npmrc password":     "//registry.example.com/:_password=%s",
	".npmrc login":        "_auth=%s=",
	".netrc":              "machine db.example.com login app password %s",
	".my.cnf":             "[client]\nuser=app\npassword=%s\n",
	".pypirc":             "[pypi]\nusername = __token__\npassword = %s\n",
	"pip.conf":            "index-url = https://app:%s@pypi.example.com/simple",
	"Maven":               "<server><id>a</id><username>app</username><password>%s</password></server>",
	"Gradle":              "systemProp.nexus.password=%s",
	"NuGet":               `<add key="ClearTextPassword" value="%s" />`,
	"AWS":                 "[default]\naws_access_key_id = x\naws_secret_access_key = %s/0123456789abcdef0\n",
	"kubeconfig token":    "users:\n- name: a\n  user:\n    token: %s\n",
	"kubeconfig password": "users:\n- name: a\n  user:\n    username: app\n    password: %s\n",
	"docker token":        `{"auths":{"https://index.docker.io/v1/":{"identitytoken":"%s"}}}`,
	"Terraform":           `db_password = "%s"`,
	"Terraform variable":  `export TF_VAR_db_password=%s`,
	"Rails":               "production:\n  secret_key_base: %s\n",
	"Spring":              "spring.datasource.password=%s",
	"Spring in YAML":      "spring:\n  datasource:\n    password: %s\n",
	"TOML":                "[database]\npassword = \"%s\"\n",
	"PHP":                 "'password' => '%s',",
	"WordPress":           "define('DB_PASSWORD', '%s');",
	"Ruby":                `{:user=>"app", :password=>"%s"}`,
	"Python":              "{'user': 'app', 'password': '%s'}",
	"Go":                  `{User:app Password:%s Host:db}`,
	"Java":                "DataSource[url=jdbc:x, user=app, password=%s]",
	"an attribute":        `<datasource user="app" password="%s"/>`,
	"Compose":             "environment:\n  - POSTGRES_PASSWORD=%s\n",
	"a Secret":            "apiVersion: v1\nkind: Secret\nstringData:\n  password: %s\n",
	"an env entry":        "- name: DB_PASSWORD\n  value: %s\n",
	"a folded scalar":     "password: >-\n  %s\nport: 1\n",
	"a literal scalar":    "  password: |+\n    %s\n\n  port: 1\n",
	"a quoted scalar":     "password: '%s' # rotate me",
	"a comment":           "# password: %s",
	"a here-document":     "cat <<EOF\nPASSWORD=%s\nEOF",

	// Commands.
	"psql":              "PGPASSWORD=%s psql -h db",
	"mysql":             "mysql -u app -p%s finance",
	"mysqldump":         "mysqldump --user=app --password=%s finance",
	"redis-cli":         "redis-cli -h cache -a %s ping",
	"curl":              "curl -u app:%s https://api",
	"curl's header":     "curl -H 'X-Api-Key: %s' https://api",
	"wget":              "wget --user=app --password=%s https://api",
	"sshpass":           "sshpass -p %s ssh host",
	"sshpass in quotes": "sshpass -p '%s' ssh host",
	"docker login":      "docker login -u app -p %s registry",
	"kubectl":           "kubectl create secret generic a --from-literal=password=%s",
	"helm":              "helm upgrade a b --set postgresql.auth.password=%s",
	"openssl":           "openssl rsa -passin pass:%s -in key.pem",
	"vault":             "vault login -method=userpass username=app password=%s",
	"SQL of PostgreSQL": "CREATE ROLE app WITH LOGIN PASSWORD '%s'",
	"SQL of MySQL":      "CREATE USER app IDENTIFIED BY '%s'",
	"a flag":            "--db-password %s --verbose",

	// Requests.
	"a form":           "grant_type=password&username=app&password=%s",
	"a query":          "GET /login?user=app&password=%s HTTP/1.1",
	"a token's query":  "GET /x?access_token=%s HTTP/1.1",
	"GraphQL":          `{"query":"mutation { login(user: \"app\", password: \"%s\") { id } }"}`,
	"its variables":    `{"variables":{"input":{"password":"%s"}}}`,
	"a header":         "X-Api-Key: %s",
	"bearer":           "authorization: bearer %s",
	"a cookie":         "Cookie: theme=dark; session=%s",
	"an exception":     "psycopg2.OperationalError: connection failed: password=%s user=app",
	"a sentence":       "the password is %s",
	"a JSON log":       `{"level":"info","msg":"config","db":{"user":"app","password":"%s"}}`,
	"JSON in a log":    `level=info msg="{\"user\":\"app\",\"password\":\"%s\"}"`,
	"JSON with blanks": "{\n  \"password\" : \"%s\"\n}",
}

// wrapped are the ways in which a form may be hidden in another one.
var wrapped = map[string]func(string) string{
	"as it is":         func(text string) string { return text },
	"by URL":           url.QueryEscape,
	"in base64":        func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) },
	"in base64 of URL": func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) },
	"in base64 twice": func(text string) string {
		once := base64.StdEncoding.EncodeToString([]byte(text))
		return base64.StdEncoding.EncodeToString([]byte(once))
	},
	"in JSON":  inJSON,
	"in a log": func(text string) string { return "2026-01-02T03:04:05Z app[1]: " + text },
	"in a Secret": func(text string) string {
		return "data:\n  config: " + base64.StdEncoding.EncodeToString([]byte(text))
	},
}

func inJSON(text string) string {
	encoded, _ := json.Marshal(map[string]string{"message": text})
	return string(encoded)
}

// shows reports whether a text still gives the credential away, in the way it was wrapped.
func shows(got, secret string) bool {
	if strings.Contains(got, secret) {
		return true
	}
	for _, part := range strings.FieldsFunc(got, func(r rune) bool { return !strings.ContainsRune(alphabet64, r) }) {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding, base64.RawStdEncoding} {
			if decoded, err := encoding.DecodeString(part); err == nil && len(decoded) > 8 && shows(string(decoded), secret) {
				return true
			}
		}
	}
	return false
}

const alphabet64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-"

func TestEveryFormOfAPasswordIsRemoved(t *testing.T) {
	for form, pattern := range forms {
		for way, wrap := range wrapped {
			text := wrap(fmt.Sprintf(pattern, pw))
			if way == "by URL" && !strings.Contains(text, "%") {
				continue // nothing tells that a + is a blank
			}
			got := Text(text, nil)
			if way == "in JSON" {
				got = string(Document([]byte(text), nil))
			}
			if shows(got, pw) {
				t.Errorf("%s, %s: %q becomes %q", form, way, text, got)
			}
		}
	}
}
