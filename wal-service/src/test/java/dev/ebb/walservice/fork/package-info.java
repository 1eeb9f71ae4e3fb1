@NullMarked
package dev.ebb.walservice.fork;

import org.jspecify.annotations.NullMarked;
