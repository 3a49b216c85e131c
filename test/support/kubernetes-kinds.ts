// What a document of the deployment kit may hold, by its kind: Kubernetes' own types, and of what is defined elsewhere
// as much as the kit needs. kubernetes.ts has the compiler hold the documents to them.
import type { Deployment } from "kubernetes-types/apps/v1.js";
import type { ConfigMap, PersistentVolumeClaim, Service, ServiceAccount } from "kubernetes-types/core/v1.js";
import type { ObjectMeta } from "kubernetes-types/meta/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";

/** As the Prometheus operator's API reference has it (monitoring.coreos.com/v1). */
interface ServiceMonitor {
  readonly apiVersion: "monitoring.coreos.com/v1";
  readonly kind: "ServiceMonitor";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly endpoints: readonly {
      readonly port: string;
      readonly path: string;
      readonly interval: string;
      readonly scrapeTimeout: string;
    }[];
  };
}

/** As KEDA's "ScaledObject specification" and its Prometheus scaler have it (keda.sh/v1alpha1). */
interface ScaledObject {
  readonly apiVersion: "keda.sh/v1alpha1";
  readonly kind: "ScaledObject";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly scaleTargetRef: { readonly apiVersion?: string; readonly kind?: string; readonly name: string };
    readonly pollingInterval?: number;
    readonly cooldownPeriod?: number;
    readonly minReplicaCount: number;
    readonly maxReplicaCount: number;
    readonly triggers: readonly {
      readonly type: "prometheus";
      readonly metadata: { readonly serverAddress: string; readonly query: string; readonly threshold: string };
    }[];
    readonly advanced?: {
      readonly horizontalPodAutoscalerConfig?: {
        readonly behavior?: {
          readonly scaleDown?: {
            readonly stabilizationWindowSeconds?: number;
            readonly policies?: readonly {
              readonly type: "Pods" | "Percent";
              readonly value: number;
              readonly periodSeconds: number;
            }[];
          };
        };
      };
    };
  };
}

/** As kustomize's "Kustomization file" reference has it, without what it calls deprecated. */
interface Kustomization {
  readonly apiVersion: "kustomize.config.k8s.io/v1beta1";
  readonly kind: "Kustomization";
  readonly resources: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly KustomizePatch[];
  readonly configMapGenerator?: readonly { readonly name: string; readonly files: readonly string[] }[];
  readonly images?: readonly { readonly name: string; readonly newName: string; readonly newTag: string }[];
}

interface Component extends Omit<Kustomization, "apiVersion" | "kind"> {
  readonly apiVersion: "kustomize.config.k8s.io/v1alpha1";
  readonly kind: "Component";
}

type KustomizePatch =
  | { readonly path: string }
  | { readonly target: { readonly kind: string; readonly name: string }; readonly patch: string };

/** A document that changes another one: parts of it, with `null` for what is to go. */
type Patch<T> = T extends object ? { [K in keyof T]?: Patch<T[K]> | null } : T;

/** By `kind`; `Patch KIND` is a patch of one. */
export interface Kinds {
  readonly Deployment: Deployment;
  readonly ConfigMap: ConfigMap;
  readonly PersistentVolumeClaim: PersistentVolumeClaim;
  readonly Service: Service;
  readonly ServiceAccount: ServiceAccount;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly ServiceMonitor: ServiceMonitor;
  readonly ScaledObject: ScaledObject;
  readonly Kustomization: Kustomization;
  readonly Component: Component;
  readonly "Patch Deployment": Patch<Deployment>;
}
