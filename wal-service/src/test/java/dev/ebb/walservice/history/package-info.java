@NullMarked
package dev.ebb.walservice.history;

import org.jspecify.annotations.NullMarked;
