import { UserError } from '../../shared/errors.ts';
import { confirmGateway, type Ask } from './confirm-gateway.ts';
import { findProject } from './project-file.ts';

export interface ChosenResources {
  resources: string[];
  /** undefined: the one of the last sign-in. */
  gateway: string | undefined;
}

/** Those named on the command line; with none, what the repository's `.hoop.json` names. Throws UserError. */
export async function chosenResources(
  resources: string[],
  gateway: string | undefined,
  { folder, ask }: { folder: string; ask: Ask },
): Promise<ChosenResources> {
  if (resources.length > 0) return { resources, gateway };
  const project = await findProject(folder);
  if (!project) {
    throw new UserError('HOOP_USAGE', 'no resource is named, and no .hoop.json here names any', {
      next: 'hoop connect RESOURCE; hoop resources lists yours, hoop init writes a .hoop.json',
    });
  }
  if (gateway === undefined) await confirmGateway(project, ask);
  return { resources: project.resources, gateway: gateway ?? project.gateway };
}
