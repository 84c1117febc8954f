// Package blame decides whose errors they are: the canary's, or those of an outage that stable shares. It holds no
// clock, connection or goroutine, so that the guard and its simulations run the same code: a [Court] is given every
// scrape of every pod, and answers whom to ask and what it has decided.
//
// Evidence against the canary alone opens an inquiry. All stable pods are scraped at once, and the failures of both
// tracks are compared over a time that covers, for each stable pod, at least that of the canary's failures: a pod's
// counts are kept with the times of its scrapes, so that counts of different times are never compared. Given that there
// are so many failures in all, their division between the tracks is binomial under a cause that hits both alike, with
// the tracks' rates of requests as odds (J. Przyborowski and H. Wilenski, Homogeneity of results in testing samples
// from Poisson series, 1940). Beside a stable track that is well, the canary is blamed at once when it surely fails
// more often. Beside one in trouble the court drops what it has, compares only what comes in the following seconds, and
// asks for more than twice as many failures.
package blame
