/**
 * Hot standby feedback on its way from the instances that standbys are connected to, to the one
 * that receives from the primary: {@link dev.ebb.walservice.feedback.FeedbackReports} says over the
 * bus what {@link dev.ebb.walservice.feedback.FeedbackBoard} remembers for a while. What gets lost
 * on the way costs a query on a standby, never more: VACUUM goes on.
 */
@NullMarked
package dev.ebb.walservice.feedback;

import org.jspecify.annotations.NullMarked;
