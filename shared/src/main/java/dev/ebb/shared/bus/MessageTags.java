package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import java.util.HashMap;
import java.util.Map;

/**
 * The number of every message. A number is never given to another message; a message whose
 * components change gets a new record and a new number.
 */
final class MessageTags {
  private static final Map<Integer, Class<? extends BusMessage>> BY_TAG = new HashMap<>();
  private static final Map<Class<?>, Integer> BY_CLASS = new HashMap<>();

  static {
    register(1, Ok.class);
    register(2, Failure.class);

    register(16, PageMessage.ReadManifest.class);
    register(17, PageMessage.ManifestBytes.class);
    register(18, PageMessage.ReadPages.class);
    register(19, PageMessage.Pages.class);
    register(20, PageMessage.ReadBootPages.class);
    register(21, PageMessage.BootPages.class);
    register(22, PageMessage.OpenCapture.class);
    register(23, PageMessage.CaptureOpened.class);
    register(24, PageMessage.PutPages.class);
    register(25, PageMessage.CommitCapture.class);
    register(26, PageMessage.CaptureCommitted.class);
    register(27, PageMessage.AbortCapture.class);
    register(28, PageMessage.DeleteBranchObjects.class);
    register(29, PageMessage.CollectGarbage.class);
    register(30, PageMessage.GarbageCollected.class);
    register(31, PageMessage.OpenCheck.class);
    register(32, PageMessage.CheckOpened.class);
    register(33, PageMessage.StepCheck.class);
    register(34, PageMessage.CheckProgress.class);
    register(35, PageMessage.CloseCheck.class);

    register(48, WalMessage.CreateLog.class);
    register(49, WalMessage.OpenLog.class);
    register(50, WalMessage.LogOpened.class);
    register(51, WalMessage.ReadWal.class);
    register(52, WalMessage.WalBytes.class);
    register(53, WalMessage.StartReceiver.class);
    register(54, WalMessage.StopReceiver.class);
    register(55, WalMessage.AwaitDurable.class);
    register(56, WalMessage.DurableLsn.class);
    register(57, WalMessage.DeleteLog.class);
    register(58, WalMessage.LogDeleted.class);
    register(59, WalMessage.ForkLog.class);
    register(60, WalMessage.LogForked.class);
    register(61, WalMessage.FindInstance.class);
    register(62, WalMessage.InstanceFound.class);
    register(63, WalMessage.FindSender.class);
    register(64, WalMessage.SenderFound.class);
    register(65, WalMessage.StandbyFeedback.class);

    register(80, ComputeMessage.CreateDatabase.class);
    register(81, ComputeMessage.DatabaseCreated.class);
    register(82, ComputeMessage.DropDatabase.class);
    register(83, ComputeMessage.WakeBranch.class);
    register(84, ComputeMessage.ComputeReady.class);
    register(85, ComputeMessage.SuspendBranch.class);
    register(86, ComputeMessage.Suspended.class);
    register(87, ComputeMessage.LookupRole.class);
    register(88, ComputeMessage.RoleFound.class);
    register(89, ComputeMessage.HostAnnouncement.class);
    register(90, ComputeMessage.DiscardBranch.class);
    register(91, ComputeMessage.DropProtectedDatabase.class);
    register(92, ComputeMessage.ConnectBranch.class);
    register(93, ComputeMessage.CaptureBranch.class);
    register(94, ComputeMessage.RefreshName.class);
    register(95, ComputeMessage.CreateBranch.class);
    register(96, ComputeMessage.DescribeDamage.class);
    register(97, ComputeMessage.Damages.class);
    register(98, ComputeMessage.BranchCreated.class);
    register(99, ComputeMessage.DropBranch.class);
    register(100, ComputeMessage.RenameBranch.class);
    register(101, ComputeMessage.ResetBranch.class);
    register(102, ComputeMessage.RestoreBranch.class);
    register(103, ComputeMessage.BranchReplaced.class);
    register(104, ComputeMessage.ProtectBranch.class);
    register(105, ComputeMessage.DescribeBranches.class);
    register(106, ComputeMessage.BranchesDescribed.class);
    register(107, ComputeMessage.CreateDatabaseOf.class);
    register(108, ComputeMessage.AddReplicas.class);
    register(109, ComputeMessage.RemoveReplicas.class);
    register(110, ComputeMessage.ReplicasChanged.class);
    register(111, ComputeMessage.StartReplica.class);
    register(113, ComputeMessage.ReplicaReady.class);
    register(114, ComputeMessage.StopReplica.class);
    register(115, ComputeMessage.ReviewReplicas.class);
    register(116, ComputeMessage.ReplicaAnnouncement.class);
    register(117, ComputeMessage.LookupLogin.class);
    register(118, ComputeMessage.LoginFound.class);
    register(119, ComputeMessage.DescribeHosts.class);
    register(120, ComputeMessage.HostsDescribed.class);

    register(112, ScalerMessage.ScaleEvent.class);
  }

  private MessageTags() {}

  private static void register(int tag, Class<? extends BusMessage> type) {
    if (BY_TAG.put(tag, type) != null || BY_CLASS.put(type, tag) != null) {
      throw new IllegalStateException("tag " + tag + " or " + type + " is registered twice");
    }
  }

  static int tagOf(BusMessage message) {
    Integer tag = BY_CLASS.get(message.getClass());
    if (tag == null) {
      throw new IllegalStateException(message.getClass() + " has no tag");
    }
    return tag;
  }

  static Class<? extends BusMessage> typeOf(int tag) {
    Class<? extends BusMessage> type = BY_TAG.get(tag);
    if (type == null) {
      throw new EbbException.Invalid(
          "unknown bus message " + tag + ": are all members of one version of Ebb?");
    }
    return type;
  }

  static Map<Integer, Class<? extends BusMessage>> all() {
    return Map.copyOf(BY_TAG);
  }
}
