@NullMarked
package dev.ebb.walservice.protocol;

import org.jspecify.annotations.NullMarked;
