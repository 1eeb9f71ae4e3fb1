@NullMarked
package dev.ebb.walservice.topic;

import org.jspecify.annotations.NullMarked;
