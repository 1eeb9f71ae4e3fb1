package dev.ebb.computeservice.pages;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.ManifestCodec;
import java.util.LinkedHashMap;
import java.util.Map;

/** Calls to the page service. Blocking; safe from any number of virtual threads. */
public final class PageClient {
  private static final long READ_TIMEOUT_MS = 20_000;
  private static final long WRITE_TIMEOUT_MS = 60_000;
  private static final int CACHED_MANIFESTS = 64;

  private final BlockingBus bus;

  /** Manifests never change, so the newest few are kept: a login reads one just before a wake. */
  private final Map<String, Manifest> manifests =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Manifest> eldest) {
          return size() > CACHED_MANIFESTS;
        }
      };

  public PageClient(BlockingBus bus) {
    this.bus = bus;
  }

  /** The manifest under a key. */
  public Manifest manifest(String key) {
    synchronized (manifests) {
      Manifest known = manifests.get(key);
      if (known != null) {
        return known;
      }
    }
    Manifest read =
        ManifestCodec.decode(
            bus.call(Addresses.PAGE, new PageMessage.ReadManifest(key), READ_TIMEOUT_MS).encoded());
    synchronized (manifests) {
      manifests.put(key, read);
    }
    return read;
  }

  /** The pages that every start from this snapshot reads. */
  public PageMessage.BootPages bootPages(String manifestKey) {
    return bus.call(Addresses.PAGE, new PageMessage.ReadBootPages(manifestKey), READ_TIMEOUT_MS);
  }

  /** {@code count} blocks of a file as a snapshot has them, one behind the other. */
  public byte[] read(String manifestKey, FileKey file, int incarnation, int first, int count) {
    return bus.call(
            Addresses.PAGE,
            new PageMessage.ReadPages(manifestKey, file, incarnation, first, count),
            READ_TIMEOUT_MS)
        .bytes();
  }

  /** Begins a capture on top of {@code baseManifestKey}, or of nothing where that is empty. */
  public CaptureSink openCapture(BranchId branch, Generation generation, String baseManifestKey) {
    return new CaptureSink(
        bus,
        bus.call(
            Addresses.PAGE,
            new PageMessage.OpenCapture(branch, generation, baseManifestKey),
            WRITE_TIMEOUT_MS),
        WRITE_TIMEOUT_MS);
  }
}
