// Package calendar says when an upward move may happen: on some weekdays, between two times of the day, outside
// freezes, and at most once in a duration. Freezes come from the configuration or from an iCalendar file.
//
// A [Calendar] is a value and [Calendar.Judge] a pure function of it and of a time. Times of the day and weekdays are
// those of the clock on the wall in the calendar's time zone, so that a switch to daylight saving time moves no window.
// The package imports neither Kubernetes nor Pulumi and reads no clock. It embeds the time zones, because the images
// that run it hold none.
package calendar
