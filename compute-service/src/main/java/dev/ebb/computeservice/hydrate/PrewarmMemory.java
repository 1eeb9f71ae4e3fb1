package dev.ebb.computeservice.hydrate;

import dev.ebb.shared.page.Manifest.BlockRun;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Of this host's branches: the blocks that were asked for soon after their last wake. In memory
 * only, of the branches that woke last: what is forgotten is fetched when somebody asks for it.
 */
public final class PrewarmMemory {
  private static final int MAX_BRANCHES = 1_000;

  private final Map<String, List<BlockRun>> branches =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, List<BlockRun>> eldest) {
          return size() > MAX_BRANCHES;
        }
      };

  synchronized List<BlockRun> of(String branch) {
    return branches.getOrDefault(branch, List.of());
  }

  synchronized void put(String branch, List<BlockRun> runs) {
    branches.put(branch, List.copyOf(runs));
  }
}
