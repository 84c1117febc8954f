package redact

import (
	"regexp"
	"strings"
)

// shape is the look of one kind of token: a prefix, and at least so many characters of a class behind it.
type shape struct {
	prefix string
	least  int
	class  func(byte) bool
	name   string
}

func isUpperWord(c byte) bool { return c >= 'A' && c <= 'Z' || isDigit(c) }
func isHexDigit(c byte) bool  { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isURLWord(c byte) bool   { return isWord(c) || c == '-' || c == '_' }
func isDotted(c byte) bool    { return isURLWord(c) || c == '.' }
func isBase64(c byte) bool {
	return isURLWord(c) || c == '+' || c == '/' || c == '=' || c == '.' || c == '~'
}

// shapes are the tokens of clouds, forges and services, by their prefix. The prefixes are short and public; no token
// stands here.
var shapes = byFirst([]shape{
	{"AKIA", 16, isUpperWord, "an AWS access key"}, {"ASIA", 16, isUpperWord, "an AWS access key"},
	{"ABIA", 16, isUpperWord, "an AWS access key"}, {"ACCA", 16, isUpperWord, "an AWS access key"},
	{"ghp_", 20, isWord, "a GitHub token"}, {"gho_", 20, isWord, "a GitHub token"}, {"ghu_", 20, isWord, "a GitHub token"},
	{"ghs_", 20, isDotted, "a GitHub token"}, {"ghr_", 20, isWord, "a GitHub token"},
	{"github_pat_", 20, isURLWord, "a GitHub token"},
	{"glpat-", 16, isDotted, "a GitLab token"}, {"gldt-", 16, isDotted, "a GitLab token"},
	{"glrt-", 16, isDotted, "a GitLab token"}, {"glrtr-", 16, isDotted, "a GitLab token"},
	{"glcbt-", 16, isDotted, "a GitLab token"}, {"glptt-", 16, isDotted, "a GitLab token"},
	{"glft-", 16, isDotted, "a GitLab token"}, {"glimt-", 16, isDotted, "a GitLab token"},
	{"glsoat-", 16, isDotted, "a GitLab token"}, {"glagent-", 16, isDotted, "a GitLab token"},
	{"glffct-", 16, isDotted, "a GitLab token"}, {"gloas-", 16, isDotted, "a GitLab token"},
	{"GR1348941", 16, isURLWord, "a GitLab token"},
	{"ATATT3x", 20, isBase64, "an Atlassian token"}, {"ATCTT3x", 20, isBase64, "an Atlassian token"},
	{"ATBB", 24, isWord, "a Bitbucket password"},
	{"xoxa-", 10, isURLWord, "a Slack token"}, {"xoxb-", 10, isURLWord, "a Slack token"},
	{"xoxc-", 10, isURLWord, "a Slack token"}, {"xoxd-", 10, isBase64, "a Slack token"},
	{"xoxe-", 10, isURLWord, "a Slack token"}, {"xoxe.", 10, isDotted, "a Slack token"},
	{"xoxo-", 10, isURLWord, "a Slack token"}, {"xoxp-", 10, isURLWord, "a Slack token"},
	{"xoxr-", 10, isURLWord, "a Slack token"}, {"xoxs-", 10, isURLWord, "a Slack token"},
	{"xapp-", 10, isURLWord, "a Slack token"},
	{"sk_live_", 10, isWord, "a Stripe key"}, {"sk_test_", 10, isWord, "a Stripe key"},
	{"rk_live_", 10, isWord, "a Stripe key"}, {"rk_test_", 10, isWord, "a Stripe key"},
	{"whsec_", 16, isBase64, "a webhook secret"}, {"sk_", 40, isHexDigit, "an API key"},
	{"npm_", 30, isWord, "an npm token"}, {"pypi-", 40, isURLWord, "a PyPI token"},
	{"rubygems_", 32, isHexDigit, "a RubyGems token"}, {"dckr_pat_", 16, isURLWord, "a Docker token"},
	{"dckr_oat_", 16, isURLWord, "a Docker token"}, {"oy2", 43, isWord, "a NuGet key"},
	{"hvs.", 16, isURLWord, "a Vault token"}, {"hvb.", 16, isURLWord, "a Vault token"},
	{"hvr.", 16, isURLWord, "a Vault token"},
	{"sk-proj-", 16, isURLWord, "an API key"}, {"sk-ant-", 16, isURLWord, "an API key"},
	{"sk-or-", 16, isURLWord, "an API key"}, {"sk-svcacct-", 16, isURLWord, "an API key"},
	{"sk-admin-", 16, isURLWord, "an API key"}, {"sk-lf-", 16, isURLWord, "an API key"}, {"sk-", 20, isWord, "an API key"},
	{"gsk_", 20, isWord, "an API key"}, {"hf_", 20, isWord, "a Hugging Face token"}, {"r8_", 30, isWord, "an API key"},
	{"xai-", 40, isWord, "an API key"}, {"pplx-", 32, isWord, "an API key"}, {"nvapi-", 32, isURLWord, "an API key"},
	{"lsv2_pt_", 20, isURLWord, "an API key"}, {"lsv2_sk_", 20, isURLWord, "an API key"},
	{"AIza", 30, isURLWord, "a Google API key"}, {"ya29.", 16, isURLWord, "a Google token"},
	{"GOCSPX-", 20, isURLWord, "a Google client secret"}, {"1//0", 30, isURLWord, "a Google token"},
	{"pul-", 32, isHexDigit, "a Pulumi access token"}, {"SG.", 40, isDotted, "a SendGrid key"},
	{"xkeysib-", 32, isURLWord, "a Brevo key"}, {"shpat_", 20, isWord, "a Shopify token"},
	{"shpss_", 20, isWord, "a Shopify secret"}, {"shpca_", 20, isWord, "a Shopify token"},
	{"shppa_", 20, isWord, "a Shopify password"}, {"sq0atp-", 20, isURLWord, "a Square token"},
	{"sq0csp-", 20, isURLWord, "a Square secret"}, {"EAAA", 50, isURLWord, "an access token"},
	{"dop_v1_", 32, isHexDigit, "a DigitalOcean token"}, {"doo_v1_", 32, isHexDigit, "a DigitalOcean token"},
	{"dor_v1_", 32, isHexDigit, "a DigitalOcean token"}, {"dapi", 32, isHexDigit, "a Databricks token"},
	{"NRAK-", 20, isWord, "a New Relic key"}, {"NRII-", 20, isURLWord, "a New Relic key"},
	{"glc_", 32, isBase64, "a Grafana token"}, {"glsa_", 30, isURLWord, "a Grafana token"},
	{"sntrys_", 32, isBase64, "a Sentry token"}, {"sntryu_", 32, isWord, "a Sentry token"},
	{"lin_api_", 20, isWord, "a Linear key"}, {"ntn_", 30, isWord, "a Notion token"},
	{"secret_", 40, isWord, "a Notion token"},
	{"figd_", 20, isURLWord, "a Figma token"}, {"dp.pt.", 20, isWord, "a Doppler token"},
	{"dp.st.", 20, isDotted, "a Doppler token"}, {"pscale_tkn_", 20, isURLWord, "a PlanetScale token"},
	{"pscale_pw_", 20, isURLWord, "a PlanetScale password"}, {"sbp_", 32, isHexDigit, "a Supabase token"},
	{"CCIPAT_", 20, isURLWord, "a CircleCI token"}, {"bkua_", 20, isWord, "a Buildkite token"},
	{"CFPAT-", 20, isURLWord, "a Contentful token"}, {"pat-na1-", 30, isURLWord, "a HubSpot token"},
	{"AKCp", 50, isWord, "an Artifactory key"}, {"cmVmdGtu", 30, isWord, "an Artifactory token"},
	{"PMAK-", 30, isURLWord, "a Postman key"}, {"pnu_", 30, isWord, "a Prefect key"},
	{"sqp_", 32, isHexDigit, "a SonarQube token"},
	{"squ_", 32, isHexDigit, "a SonarQube token"}, {"sqa_", 32, isHexDigit, "a SonarQube token"},
	{"sgp_", 32, isURLWord, "a Sourcegraph token"}, {"tskey-", 16, isURLWord, "a Tailscale key"},
	{"nfp_", 30, isWord, "a Netlify token"}, {"fm2_", 40, isBase64, "a Fly token"},
	{"HRKU-", 30, isURLWord, "a Heroku key"},
	{"ops_eyJ", 30, isURLWord, "a 1Password token"}, {"SWMTKN-1-", 30, isURLWord, "a Swarm token"},
	{"AGE-SECRET-KEY-1", 40, isUpperWord, "a private key"}, {"LTAI", 16, isWord, "an Alibaba access key"},
	{"EZAK", 50, isWord, "an EasyPost key"}, {"rdme_", 50, isWord, "an API key"},
	{"shippo_live_", 32, isHexDigit, "an API key"},
	{"PRIVATE-TOKEN-", 16, isURLWord, "a token"}, {"AQVN", 30, isURLWord, "an API key"},
	{"dt0c01.", 40, isDotted, "a Dynatrace token"},
	{"dt0s16.", 40, isDotted, "a Dynatrace token"}, {"phc_", 36, isWord, "an API key"}, {"phx_", 36, isWord, "an API key"},
	{"rnd_", 28, isWord, "an API key"}, {"re_", 28, isURLWord, "an API key"}, {"vercel_", 24, isWord, "an API key"},
	{"eyJ", 14, isDotted, jsonToken},
})

const jsonToken = "a JSON web token" //nolint:gosec // the name of a kind

func byFirst(list []shape) [256][]shape {
	var table [256][]shape
	for _, s := range list {
		table[s.prefix[0]] = append(table[s.prefix[0]], s)
	}
	return table
}

// tokens finds tokens by their shape.
func tokens(text string) []span {
	var matches []span
	for i := 0; i < len(text); i++ {
		if len(shapes[text[i]]) == 0 || i > 0 && isWord(text[i-1]) && !escaped(text, i) {
			continue
		}
		for _, s := range shapes[text[i]] {
			if end := s.match(text, i); end > 0 {
				matches = append(matches, span{i, end, s.name})
				i = end - 1
				break
			}
		}
	}
	for _, pattern := range tokenPatterns {
		eachLine(text, []string{pattern.literal}, func(start, end int) {
			for _, at := range pattern.find.FindAllStringSubmatchIndex(text[start:end], -1) {
				// A word of letters is the name of something in a program.
				if digits, _, _ := classes(text[start+at[2] : start+at[3]]); digits > 0 {
					matches = append(matches, span{start + at[2], start + at[3], pattern.name})
				}
			}
		})
	}
	return matches
}

// match gives the end of a token that begins at a position; 0 when none does.
func (s shape) match(text string, start int) int {
	if !strings.HasPrefix(text[start:], s.prefix) {
		return 0
	}
	end := start + len(s.prefix)
	for end < len(text) && s.class(text[end]) {
		end++
	}
	body := strings.TrimRight(text[start+len(s.prefix):end], ".-~")
	end = start + len(s.prefix) + len(body)
	if len(body) < s.least {
		return 0
	}
	switch digits, upper, _ := classes(body); {
	case s.name == jsonToken:
		if !isJSONToken(text[start:end]) {
			return 0
		}
		if strings.Count(body, ".") == 1 && end < len(text) && text[end] == '.' {
			end++ // an unsigned token ends with an empty signature
		}
	case s.least < 30 && digits == 0 && upper == 0:
		return 0 // words, such as sk-learn-contributors-list
	}
	return end
}

// isJSONToken reports whether a text is a JSON Web Token or one of its parts: base64 of an object with the fields of a
// header or of claims.
func isJSONToken(text string) bool {
	if strings.Count(text, ".") >= 1 && strings.Contains(text, ".eyJ") {
		return true
	}
	first, rest, dotted := strings.Cut(text, ".")
	decoded, ok := decodeBase64(first)
	if !ok {
		decoded, ok = decodeBase64(first[:len(first)/4*4])
	}
	return ok && tokenFields.Match(decoded) || dotted && len(rest) >= 10
}

var tokenFields = regexp.MustCompile(`"(?:alg|typ|kid|enc|x5t|jku|sub|iss|exp|iat|nbf|aud|jti|scope|roles?|azp)"\s*:`)

// tokenPatterns are tokens that have no prefix of their own. The first group is the secret part. The literal must be in
// the text for the pattern to be tried.
var tokenPatterns = []struct {
	literal string
	find    *regexp.Regexp
	name    string
}{
	{"hooks.slack.com", regexp.MustCompile(`hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]+)`),
		"a Slack webhook"},
	{"/api/webhooks/", regexp.MustCompile(`/api/webhooks/(\d{6,}/[A-Za-z0-9_-]+)`), "a Discord webhook"},
	{"webhook.office.com", regexp.MustCompile(`webhook\.office\.com/webhookb2/([\w@/-]+)`), "a Teams webhook"},
	{":AA", regexp.MustCompile(`(?:^|\D)(\d{8,10}:AA[A-Za-z0-9_-]{32,})`), "a Telegram token"},
	{"key-", regexp.MustCompile(`\b(key-[0-9a-f]{32})\b`), "a Mailgun key"},
	{"-us", regexp.MustCompile(`\b([0-9a-f]{32}-us\d{1,2})\b`), "a Mailchimp key"},
	{"SK", regexp.MustCompile(`\b(SK[0-9a-f]{32})\b`), "a Twilio key"},
	{"s.", regexp.MustCompile(`(?:^|[\s"'=:(])(s\.[A-Za-z0-9]{24})(?:$|[^\w.-])`), "a Vault token"},
	{".atlasv1.", regexp.MustCompile(`\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{40,})`), "a Terraform token"},
	{"Q~", regexp.MustCompile(`(?:^|[^\w~.-])([A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{28,40})`), "an Azure client secret"},
	{"access-", regexp.MustCompile(`\b(access-(?:sandbox|development|production)-[0-9a-f-]{36})`), "a Plaid token"},
	{"$production$", regexp.MustCompile(`(access_token\$production\$[0-9a-z]{16}\$[0-9a-f]{32})`), "a PayPal token"},
	{":APA91b", regexp.MustCompile(`(AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{60,})`), "a Firebase key"},
	{"sdk-", regexp.MustCompile(`\b(sdk-[0-9a-f]{8}-[0-9a-f-]{27})\b`), "a LaunchDarkly key"},
	{"FlyV1 ", regexp.MustCompile(`FlyV1 ([A-Za-z0-9+/=_,-]{40,})`), "a Fly token"},
	{"token-", regexp.MustCompile(`\b(token-[a-z0-9]{5}:[a-z0-9]{40,})`), "a Rancher token"},
	{"IA", regexp.MustCompile(`\bA[KS]IA[A-Z0-9]{16}["']?[\s:,;|/=]+["']?([A-Za-z0-9/+]{40})(?:[^\w/+]|$)`),
		"an AWS secret key"},
	{"::add-mask::", regexp.MustCompile(`::add-mask::(\S+)`), "a masked value"},
	{"kubeadm", regexp.MustCompile(`kubeadm\b.*?\b([a-z0-9]{6}\.[a-z0-9]{16})\b`), "a bootstrap token"},
}

// hashPattern matches password hashes in the formats of crypt, Argon2, PBKDF2 and SCRAM.
var hashPattern = regexp.MustCompile(`\$(?:2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,}|argon2(?:id|i|d)\$[^\s"',;]+|` +
	`(?:[156]|apr1|y|7|gy|scrypt)\$[./A-Za-z0-9=,$]{8,})|\{(?:SSHA|SHA|SMD5|MD5|CRYPT|SSHA256|SSHA512)\}[A-Za-z0-9+/=$.]{16,}|` +
	`\b(?:pbkdf2|bcrypt|scrypt|argon2)[_a-z0-9]*\$[^\s"',;]{16,}|SCRAM-SHA-\d+\$\d+:[^\s"',;]{16,}`)

func hashes(text string) []span {
	var matches []span
	eachLine(text, []string{"$", "SHA}", "MD5}"}, func(start, end int) {
		for _, at := range hashPattern.FindAllStringIndex(text[start:end], -1) {
			matches = append(matches, span{start + at[0], start + at[1], "a password hash"})
		}
	})
	return matches
}
