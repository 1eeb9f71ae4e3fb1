/**
 * The topics that hold the branches' logs: the port {@link dev.ebb.walservice.topic.LogTopics}, and
 * Kafka behind it. One topic a branch, one partition: its order is the arbiter.
 */
@NullMarked
package dev.ebb.walservice.topic;

import org.jspecify.annotations.NullMarked;
