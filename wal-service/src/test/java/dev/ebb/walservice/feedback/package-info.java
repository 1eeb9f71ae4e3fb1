@NullMarked
package dev.ebb.walservice.feedback;

import org.jspecify.annotations.NullMarked;
