// Package dashboard is a page in the browser that shows a rollout live: the model of `rollout status`, the charts of
// `rollout report`, the evidence of rollbacks and the forecast.
//
// [Watch] looks at the rollout while somebody looks at the page, and [NewHandler] serves the page and what changes of
// it as server-sent events. The page changes nothing. It holds its own style and script and loads nothing else. Reading
// it takes the token.
package dashboard
