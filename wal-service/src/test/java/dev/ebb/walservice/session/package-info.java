@NullMarked
package dev.ebb.walservice.session;

import org.jspecify.annotations.NullMarked;
