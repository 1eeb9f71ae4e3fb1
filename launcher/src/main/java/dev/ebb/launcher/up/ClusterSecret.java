package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.shared.catalog.SecretFingerprint;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.ObjectStore;

/** What the services log in to computes with: configured, or made at the first start. */
final class ClusterSecret {
  private ClusterSecret() {}

  static Secret read(EbbConfig config, DataDirectory directory) throws StartException {
    Secret configured = config.clusterSecret();
    return configured == null ? directory.clusterSecret() : configured;
  }

  /**
   * Refuses a secret that is not the one that the store's databases were made with: nothing could
   * log in to any of their computes.
   */
  static void require(Secret secret, ObjectStore store, DataDirectory directory)
      throws StartException {
    try {
      if (!new SecretFingerprint(store).matches(secret)) {
        throw new StartException(
            "the cluster secret (EBB_CLUSTER_SECRET, or the file "
                + directory.clusterSecretFile()
                + ") is not the one that the databases in this object store were made with:"
                + " restore that one from a backup; processes that share a store need the same");
      }
    } catch (EbbException e) {
      throw new StartException("the cluster secret cannot be checked: " + e.getMessage(), e);
    }
  }
}
