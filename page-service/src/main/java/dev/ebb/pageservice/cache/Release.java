package dev.ebb.pageservice.cache;

import com.hazelcast.map.EntryProcessor;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Runs where a chunk's claim is kept: ends the claim that {@code claimant} has, and no other.
 *
 * @param claimant who asks
 */
record Release(String claimant) implements EntryProcessor<String, @Nullable String, Boolean> {
  @Override
  public Boolean process(Map.Entry<String, @Nullable String> entry) {
    boolean own = claimant.equals(entry.getValue());
    if (own) {
      entry.setValue(null);
    }
    return own;
  }

  @Override
  public @Nullable EntryProcessor<String, @Nullable String, Boolean> getBackupProcessor() {
    return null; // there is no backup
  }
}
