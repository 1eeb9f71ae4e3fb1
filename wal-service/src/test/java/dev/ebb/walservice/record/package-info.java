@NullMarked
package dev.ebb.walservice.record;

import org.jspecify.annotations.NullMarked;
