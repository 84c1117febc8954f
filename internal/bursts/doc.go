// Package bursts generates the counts of pods whose errors do not come one by one: customers retry, a database fails
// over, a pod has a bad minute. The gates' tests take errors for independent; what they are worth when errors come
// together is measured with these streams.
//
// A stream gives the counts of both tracks second by second. Requests arrive evenly. A [Spec] says how they fail, and a
// seed makes it reproducible.
package bursts
