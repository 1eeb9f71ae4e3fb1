package dev.ebb.pageservice.cache;

import com.hazelcast.map.EntryProcessor;
import com.hazelcast.map.ExtendedMapEntry;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Runs where a chunk's claim is kept: takes it unless somebody else has it.
 *
 * @param claimant who asks
 * @param claimMs after which the claim ends by itself
 */
record Claim(String claimant, long claimMs) implements EntryProcessor<String, String, Boolean> {
  @Override
  public Boolean process(Map.Entry<String, String> entry) {
    @Nullable String holder = entry.getValue();
    if (holder != null && !holder.equals(claimant)) {
      return false;
    }
    var _ =
        ((ExtendedMapEntry<String, String>) entry)
            .setValue(claimant, claimMs, TimeUnit.MILLISECONDS);
    return true;
  }

  @Override
  public @Nullable EntryProcessor<String, String, Boolean> getBackupProcessor() {
    return null; // there is no backup
  }
}
