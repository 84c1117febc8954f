package redact

import (
	"slices"
	"strings"
	"unicode"
)

// Words splits a name into its words in upper case: databasePassword, DATABASE_PASSWORD and database-password give the
// same two.
func Words(name string) []string {
	var spaced strings.Builder
	var previous rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			r = ' '
		case unicode.IsUpper(r) && (unicode.IsLower(previous) || unicode.IsDigit(previous)):
			spaced.WriteRune(' ')
		}
		spaced.WriteRune(unicode.ToUpper(r))
		previous = r
	}
	return strings.Fields(spaced.String())
}

// NamesCredential reports whether a name is that of a credential, in any of the usual spellings. Another word behind
// it, as in TOKEN_TTL or SECRET_NAME, makes it the name of something else.
func NamesCredential(name string) bool { return strengthOf(Words(name)) == strong }

// strength says how much a name tells about its value.
type strength int

const (
	// none: the value is no credential.
	none strength = iota
	// weak: the value is one if it looks random.
	weak
	// strong: the value is one.
	strong
)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for _, word := range strings.Fields(words) {
		all[word] = true
	}
	return all
}

var (
	// qualifiers may follow the word that names a credential.
	qualifiers = set("OLD NEW PREVIOUS CURRENT PRIMARY SECONDARY BACKUP PROD PRODUCTION STAGING STAGE DEV TEST LIVE " +
		"DEFAULT " +
		"CONFIRM CONFIRMATION AGAIN REPEAT BASE VALUE TEXT PLAIN PLAINTEXT STRING DATA B64 BASE64 ENCODED RAW ADMIN ROOT " +
		"MAIN REPLICA READONLY RW RO V HASH DIGEST")
	// credentialWords name a credential as the last word of a name.
	credentialWords = set("PASSWORD PASSWD PASSPHRASE PASSCODE PASS PW SECRET TOKEN CREDENTIAL CREDENTIALS CREDS PSK " +
		"AUTHORIZATION COOKIE MNEMONIC PASSWORT KENNWORT SENHA CONTRASENA CONTRASEÑA WACHTWOORD PASSE PIN OTP TOTP")
	// credentialEndings name one even where the words are written together, as in PGPASSWORD.
	credentialEndings = strings.Fields("PASSWORD PASSWD PASSPHRASE SECRET TOKEN APIKEY ACCESSKEY SECRETKEY PRIVATEKEY " +
		"ACCOUNTKEY SIGNINGKEY ENCRYPTIONKEY MASTERKEY AUTHKEY CREDENTIAL CREDENTIALS KEYBASE DBPASS USERPASS ROOTPASS " +
		"STOREPASS KEYPASS " +
		"ADMINPASS SMTPPASS MAILPASS REDISPASS REQUIREPASS SSHPASS MYSQLPASS PGPASS MASTERAUTH BINDPW ROOTPW USERPW DBPW " +
		"ADMINPW")
	// keyWords make a credential of a name that ends with KEY.
	keyWords = set("API ACCESS PRIVATE SECRET LEDGER ACCOUNT SIGNING SIGN ENCRYPTION ENCRYPT DECRYPTION MASTER AUTH " +
		"AUTHENTICATION " +
		"AUTHORIZATION JWT HMAC SHARED PRESHARED FERNET AES CIPHER CRYPT CRYPTO UNSEAL OPENAI ANTHROPIC STRIPE SENDGRID " +
		"MAILGUN TWILIO DATADOG WEBHOOK")
	// weakKeyWords do so only for a value that looks random.
	weakKeyWords = set(
		"APP APPLICATION DEPLOY SSH TLS SSL LICENSE LICENCE READ WRITE CLIENT FUNCTION HOST SERVER SERVICE " +
			"RECOVERY GPG RSA BOT SEED STORAGE SUBSCRIPTION FUNCTIONS INTEGRATION INGEST " +
			"INGESTION DATA ROUTING WALLET INSTRUMENTATION FASTLY ADMIN ROOT SESSION COOKIE QUERY")
	// weakWords name a credential only with a value that looks random.
	weakWords = set("AUTH SESSION SESSIONID SID TOKENS SECRETS PASSWORDS SALT SEED JWT BEARER SAS CSRF XSRF PHPSESSID " +
		"JSESSIONID ASSERTION SAMLRESPONSE LICENSE COOKIES APIKEYS VERIFIER")
	// queryWords do so only in the query of an address.
	queryWords = set("SIG SIGNATURE CODE KEY")
	// codeWords make a credential of a name that ends with CODE.
	codeWords = set("RECOVERY BACKUP SCRATCH RESCUE")
	// digitWords name a credential that is a number of four to eight digits.
	digitWords = set("PIN OTP TOTP")
	// aboutWords are last words of names that are about a password: PWD_FILE, PWD_MIN_LENGTH.
	aboutWords = set("FILE PATH DIR DIRECTORY FOLDER NAME LENGTH LEN MIN MAX SIZE POLICY RULE RULES EXPIRY EXPIRES TTL " +
		"AGE " +
		"RESET URL URI LINK COUNT CHANGED ENABLED REQUIRED HINT TYPE FIELD PROMPT ATTEMPTS RETRIES MESSAGE ERROR")
	// notBefore are words before TOKEN, SECRET or COOKIE that make it something else: a place in a list, a word of a
	// grammar, a reference.
	notBefore = set("NEXT PAGE PAGINATION CONTINUATION CONTINUE CURSOR SYNC UNEXPECTED NEAR PUBLIC EOS BOS PAD UNK SEP " +
		"CLS " +
		"STOP END START LAST FIRST FENCING EXISTING PULL NO MISSING CANCELLATION LEADER RESUME WATCH CHANGE TYPE MAX MIN " +
		"TOTAL " +
		"LOOKAHEAD PREV LOCK")
)

// strengthOf judges a name by its words.
func strengthOf(words []string) strength {
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.TrimRight(words[i], "0123456789")
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	for len(words) > 1 && qualifiers[words[len(words)-1]] {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return none
	}
	last, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch {
	case notBefore[before] && !strings.HasPrefix(last, "PASS"):
		return none
	case last == "KEY" && keyWords[before], last == "BASE" && before == "KEY":
		return strong
	case last == "KEY" && weakKeyWords[before]:
		return weak
	case last == "KEY" && before != "":
		return none
	case last == "CODE" && codeWords[before]:
		return strong
	case credentialWords[last] || strings.Contains(last, "PWD") || endsLikeCredential(last):
		return strong
	case slices.ContainsFunc(words[:len(words)-1], isShortPassword) && !aboutWords[last]:
		return strong
	case weakWords[last]:
		return weak
	}
	return none
}

// isShortPassword reports whether a word is an abbreviated password, as in USER_PWD_ENC, and not the working directory
// by itself.
func isShortPassword(word string) bool { return strings.Contains(word, "PWD") && word != "OLDPWD" }

func endsLikeCredential(word string) bool {
	return slices.ContainsFunc(credentialEndings, func(ending string) bool { return strings.HasSuffix(word, ending) })
}

// secretUnder reports whether a value is a credential under its name.
func secretUnder(name, value string) bool { return secretBy(Words(name), value) }

// isUserPassword reports whether a value is user:password. A port behind a host is none.
func isUserPassword(value string) bool {
	user, password, ok := strings.Cut(value, ":")
	return ok && user != "" && !strings.Contains(password, ":") && mixed(password)
}

func secretBy(words []string, value string) bool {
	switch strengthOf(words) {
	case strong:
		if digitWords[words[len(words)-1]] {
			return len(value) >= 4 && len(value) <= 8 && isNumber(value)
		}
		return !Harmless(value)
	case weak:
		isAuth := words[len(words)-1] == "AUTH"
		return !Harmless(value) && (random(value) || isAuth && (isLoginInBase64(value) || isUserPassword(value)))
	}
	return false
}
