@NullMarked
package dev.ebb.walservice.send;

import org.jspecify.annotations.NullMarked;
